import type { NoteKey } from "@remit/core";

/** A checkpoint to be kept, or one that was kept. */
export type KeptNote = { note: string; text: string; size: number };

/** A place that keeps checkpoints and signs nothing. It is only ever added to. */
export type Sink = {
  /** How it is called: `file:/var/…`, `git:/srv/…`. */
  place: string;
  /** The last checkpoint of this ledger in it, whoever put it there; null while there is none. @throws Error when it cannot be read */
  last(origin: string, keys: readonly NoteKey[]): Promise<string | null>;
  /** Adds one. Resolves once it is kept durably. */
  add(kept: KeptNote): Promise<void>;
};
