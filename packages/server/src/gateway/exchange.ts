import type { Caller } from "@remit/contract";
import type { EventStream } from "./event-stream.ts";
import type { Headers } from "./revision.ts";
import type { Address } from "./tool-list.ts";

/** One HTTP request of a client, and where its answer goes. */
export type Exchange = {
  caller: Caller;
  address: Address;
  body: unknown;
  headers: Headers;
  /** Aborted when the client goes, or takes the request back. */
  signal: AbortController;
  /** The answer as a stream: for what is told and asked before the end. */
  stream: EventStream;
};
