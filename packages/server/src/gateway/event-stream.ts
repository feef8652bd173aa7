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
  keepBy(streams: KeptBy): void;
  /** Whether it goes on although its connection may be gone. */
  outlives(): boolean;
};

/** Gives a stream its keeper, once it begins. */
export type KeptBy = { keeper(): StreamKeeper };

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
  return new AnswerStream(raw, accept, take);
}

/** A class, for every request has one, and most never open it: as closures its ways cost more than all else that a request is given. */
class AnswerStream implements EventStream {
  readonly #raw: ServerResponse;
  readonly #accept: string | undefined;
  readonly #take: () => void;
  #state: "waiting" | "open" | "closed" = "waiting";
  #alive: NodeJS.Timeout | undefined;
  #keptBy: KeptBy | null = null;
  #keeper: StreamKeeper | null = null;

  constructor(raw: ServerResponse, accept: string | undefined, take: () => void) {
    this.#raw = raw;
    this.#accept = accept;
    this.#take = take;
  }

  open(): void {
    this.#isOpened();
  }

  isOpen(): boolean {
    return this.#state === "open";
  }

  send(message: JsonObject, id?: string): boolean {
    if (!this.#isOpened()) return false;
    this.#write(JSON.stringify(message), id);
    return true;
  }

  end(last?: string): void {
    if (this.#state !== "open") return;
    if (last !== undefined) this.#write(last, undefined);
    this.#keeper?.ended();
    this.#close();
    this.#raw.end();
  }

  onClosed(listener: () => void): void {
    this.#raw.once("close", listener);
  }

  keepBy(streams: KeptBy): void {
    this.#keptBy = streams;
  }

  outlives(): boolean {
    return this.#state === "open" && this.#keeper !== null;
  }

  #isOpened(): boolean {
    if (this.#state !== "waiting") return this.#state === "open";
    if (!takesStreams(this.#accept) || !this.#isRead()) return false;
    this.#state = "open";
    this.#take();
    const raw = this.#raw;
    raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store, no-transform", "x-accel-buffering": "no" });
    raw.flushHeaders();
    this.#keeper = this.#keptBy?.keeper() ?? null;
    const first = this.#keeper?.begin() ?? null;
    if (first !== null) raw.write(`id: ${first}\ndata: \n\n`);
    raw.once("close", () => this.#broken());
    this.#alive = setInterval(() => void raw.write(":\n\n"), keepAliveMs);
    this.#alive.unref();
    return true;
  }

  #write(json: string, id: string | undefined): void {
    const kept = this.#keeper?.keep(json);
    if (kept?.isSent === true || !this.#isRead()) return;
    const named = kept?.id ?? id;
    this.#raw.write(`${named === undefined ? "" : `id: ${named}\n`}event: message\ndata: ${json}\n\n`);
    if (this.#raw.writableLength > maxUnread) this.#raw.destroy();
  }

  #isRead(): boolean {
    return !this.#raw.destroyed && !this.#raw.writableEnded;
  }

  #close(): void {
    this.#state = "closed";
    clearInterval(this.#alive);
  }

  #broken(): void {
    clearInterval(this.#alive);
    if (this.#keeper === null) this.#close();
  }
}

function takesStreams(accept: string | undefined): boolean {
  return accept === undefined || /text\/event-stream|text\/\*|\*\/\*/i.test(accept);
}
