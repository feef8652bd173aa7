/** One event of a stream of server-sent events. A comment is one without data. */
export type ServerSentEvent = { id: string | null; event: string; data: string | null };

/** A line that is longer than this is none of ours. */
const maxLine = 4 * 1024 * 1024;

/** Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as Remit sends them: lines end in a line feed. */
export async function* readServerSentEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  let id: string | null = null;
  let event = "message";
  let data: string[] = [];
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxLine) throw new Error("the server sends a line without end");
    for (const line of lines.map((text) => text.replace(/\r$/, ""))) {
      if (line === "") {
        yield { id, event, data: data.length === 0 ? null : data.join("\n") };
        [id, event, data] = [null, "message", []];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "id") id = value;
      else if (field === "event") event = value;
      else if (field === "data") data.push(value);
    }
  }
}
