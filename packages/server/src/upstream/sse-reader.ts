/** Cuts a `text/event-stream` (WHATWG HTML, 9.2) into the data of its events. Only `message` events are told. */
export type SseReader = {
  push(text: string): void;
  /** Characters of an event that has not ended yet. */
  buffered(): number;
};

export function createSseReader(onData: (data: string) => void): SseReader {
  let rest = "";
  let event = "";
  let data: string[] = [];
  let length = 0;

  function line(text: string): void {
    if (text === "") {
      if (data.length > 0 && (event === "" || event === "message")) onData(data.join("\n"));
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
  };
}
