import type { EventFilter, StreamedEvent } from "@remit/contract";

/** Events from one place on, and where to go on: everything before `next` has been looked at. */
export type EventWindow = { events: StreamedEvent[]; next: number };

/**
 * The events of the ledger, in order. Only what a checkpoint signs is ever read: its place is final, and nothing can still come before it.
 */
export type EventLog = {
  /** How many entries the last checkpoint signs: the place of the next one. */
  size(): Promise<number>;
  /** At most `limit` events from place `from` on. Looks at a bounded number of entries, however few of them match. */
  read(from: number, filter: EventFilter, limit: number): Promise<EventWindow>;
  /** The newest events that match, oldest first. */
  newest(filter: EventFilter, limit: number): Promise<EventWindow>;
};
