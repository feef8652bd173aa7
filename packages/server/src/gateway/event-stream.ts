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
  /** Has what is sent from now on kept, so that a client whose connection breaks comes back for it: then a break is no end. */
  keepBy(keeper: StreamKeeper): void;
  /** Whether it goes on although its connection may be gone. */
  outlives(): boolean;
};

/** Keeps what a stream has said, for as long as its client may come back for it. */
export type StreamKeeper = {
  /** It begins. The id of the event with which it does so, or null: this client's revision knows no event without data. */
  begin(): string | null;
  /** Gives the event its id. `isSent`: its client has come back for it by another connection, and has it. */
  keep(json: string): { id: string; isSent: boolean };
  ended(): void;
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
  let keeper: StreamKeeper | null = null;

  const isRead = (): boolean => !raw.destroyed && !raw.writableEnded;

  function close(): void {
    state = "closed";
    clearInterval(alive);
  }

  function broken(): void {
    clearInterval(alive);
    if (keeper === null) close();
  }

  function open(): boolean {
    if (state !== "waiting") return state === "open";
    if (!takesStreams(accept) || !isRead()) return false;
    state = "open";
    take();
    raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store, no-transform", "x-accel-buffering": "no" });
    raw.flushHeaders();
    const first = keeper?.begin() ?? null;
    if (first !== null) raw.write(`id: ${first}\ndata: \n\n`);
    raw.once("close", broken);
    alive = setInterval(() => void raw.write(":\n\n"), keepAliveMs);
    alive.unref();
    return true;
  }

  function write(json: string, id: string | undefined): void {
    const kept = keeper?.keep(json);
    if (kept?.isSent === true || !isRead()) return;
    const named = kept?.id ?? id;
    raw.write(`${named === undefined ? "" : `id: ${named}\n`}event: message\ndata: ${json}\n\n`);
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
      keeper?.ended();
      close();
      raw.end();
    },
    onClosed: (listener) => void raw.once("close", listener),
    keepBy: (by) => void (keeper = by),
    outlives: () => state === "open" && keeper !== null,
  };
}

function takesStreams(accept: string | undefined): boolean {
  return accept === undefined || /text\/event-stream|text\/\*|\*\/\*/i.test(accept);
}
