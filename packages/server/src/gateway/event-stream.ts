import type { ServerResponse } from "node:http";
import type { JsonObject } from "@remit/contract";

/** A `text/event-stream` answer. It begins with the first message, so that an answer without any stays an ordinary one. */
export type EventStream = {
  /** False when it is closed, or the client takes no stream. */
  send(message: JsonObject, id?: string): boolean;
  /** Begins it without a message. */
  open(): void;
  isOpen(): boolean;
  /** The last message, as JSON, and the end. */
  end(last?: string): void;
  onClosed(listener: () => void): void;
};

const keepAliveMs = 15_000;
/** A client that reads nothing is not waited for. Bytes. */
const maxUnread = 4 * 1024 * 1024;

/**
 * @param accept the request's header: who does not take streams is sent none
 * @param take takes the answer out of the framework's hands, once
 */
export function createEventStream(raw: ServerResponse, accept: string | undefined, take: () => void): EventStream {
  let state: "waiting" | "open" | "closed" = "waiting";
  let alive: NodeJS.Timeout | undefined;

  function close(): void {
    state = "closed";
    clearInterval(alive);
  }

  function open(): boolean {
    if (state !== "waiting") return state === "open";
    if (!takesStreams(accept) || raw.destroyed || raw.writableEnded) return false;
    state = "open";
    take();
    raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store, no-transform", "x-accel-buffering": "no" });
    raw.flushHeaders();
    raw.once("close", close);
    alive = setInterval(() => void raw.write(":\n\n"), keepAliveMs);
    alive.unref();
    return true;
  }

  function write(json: string, id: string | undefined): void {
    raw.write(`${id === undefined ? "" : `id: ${id}\n`}event: message\ndata: ${json}\n\n`);
    if (raw.writableLength > maxUnread) raw.destroy();
  }

  return {
    open: () => void open(),
    isOpen: () => state === "open",
    send(message, id) {
      if (!open()) return false;
      write(JSON.stringify(message), id);
      return true;
    },
    end(last) {
      if (state !== "open") return;
      if (last !== undefined) write(last, undefined);
      close();
      raw.end();
    },
    onClosed: (listener) => void raw.once("close", listener),
  };
}

function takesStreams(accept: string | undefined): boolean {
  return accept === undefined || /text\/event-stream|text\/\*|\*\/\*/i.test(accept);
}
