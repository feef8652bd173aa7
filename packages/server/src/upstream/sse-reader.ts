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
  /** Pieces of a line that has not ended. */
  let held: string[] = [];
  let heldLength = 0;
  /** A CR at the very end may be half of a CRLF: it is looked at with what follows. */
  let halfEnd = "";
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
      const whole = halfEnd + text;
      halfEnd = whole.endsWith("\r") ? "\r" : "";
      const chunk = halfEnd === "" ? whole : whole.slice(0, -1);
      let begin = 0;
      // What is held is not searched again: a line without an end would cost the square of its length.
      for (const match of chunk.matchAll(/\r\n|\n|\r/g)) {
        held.push(chunk.slice(begin, match.index));
        line(held.length === 1 ? (held[0] ?? "") : held.join(""));
        held = [];
        heldLength = 0;
        begin = match.index + match[0].length;
      }
      if (begin === chunk.length) return;
      held.push(chunk.slice(begin));
      heldLength += chunk.length - begin;
    },
    buffered: () => heldLength + halfEnd.length + length,
    // An empty id is how a server takes back what it gave.
    cursor: () => ({ lastEventId: lastEventId === "" ? null : lastEventId, retryMs }),
  };
}
