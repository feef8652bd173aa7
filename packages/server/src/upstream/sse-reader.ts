/** Cuts a `text/event-stream` (WHATWG HTML, 9.2) into the data of its events. Only `message` events are told. */
export type SseReader = {
  push(text: string): void;
  /** Characters of an event that has not ended yet. */
  buffered(): number;
  /** From where the stream can be resumed, and how long to wait before that, as far as it was said. */
  cursor(): { lastEventId: string | null; retryMs: number | null };
};

/** @param from the id of the last event of the stream that this one resumes */
export function createSseReader(onData: (data: string) => void, from: string | null = null): SseReader {
  let rest = "";
  let event = "";
  let data: string[] = [];
  let length = 0;
  let id = from;
  let lastEventId = from;
  let retryMs: number | null = null;

  function line(text: string): void {
    if (text === "") {
      if (data.length > 0 && (event === "" || event === "message")) onData(data.join("\n"));
      // An event without data is told to nobody, and still counts as received.
      lastEventId = id;
      event = "";
      data = [];
      length = 0;
      return;
    }
    const colon = text.indexOf(":");
    const field = colon === -1 ? text : text.slice(0, colon);
    const value = colon === -1 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      data.push(value);
      length += value.length + 1;
    } else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^\d{1,9}$/.test(value)) retryMs = Number(value);
  }

  return {
    push(text) {
      rest += text;
      // A CR at the very end may be half of a CRLF: it is looked at again with what follows.
      let match = /\r\n|\n|\r(?!$)/.exec(rest);
      while (match !== null) {
        line(rest.slice(0, match.index));
        rest = rest.slice(match.index + match[0].length);
        match = /\r\n|\n|\r(?!$)/.exec(rest);
      }
    },
    buffered: () => rest.length + length,
    // An empty id is how a server takes back what it gave.
    cursor: () => ({ lastEventId: lastEventId === "" ? null : lastEventId, retryMs }),
  };
}
