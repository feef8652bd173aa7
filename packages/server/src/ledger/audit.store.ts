import type { RecordedEvent } from "@remit/contract";

/** What entries are looked for by. Null: by anything. */
export type EntryFilter = {
  run: string | null;
  action: string | null;
  approval: string | null;
  trace: string | null;
  agent: string | null;
  actor: string | null;
  types: readonly string[] | null;
  tool: string | null;
  /** From this moment on. */
  since: Date | null;
  /** Before this moment. */
  until: Date | null;
};

export type EntryPage = { order: "newest" | "oldest"; after: number | null; limit: number };

/** Reading entries. */
export type AuditStore = {
  /** Sequenced entries. */
  find(filter: EntryFilter, page: EntryPage): Promise<(RecordedEvent & { seq: number })[]>;
  /** Everything that a run, action, approval, entry or trace consists of, in order; what is not sequenced yet comes last. */
  about(id: string, limit: number): Promise<RecordedEvent[]>;
  body(entryId: string): Promise<Buffer | null>;
};
