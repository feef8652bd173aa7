import type { Id } from "@remit/contract";

/** Which upstreams work at which actions by themselves, for servers other than the one that follows. */
export type UpstreamTaskStore = {
  add(row: { actionId: Id<"action">; upstream: string; task: string; at: Date }): Promise<void>;
  remove(actionId: Id<"action">): Promise<void>;
  /** Notes that somebody wants it cancelled. False: nothing works at it. */
  cancel(actionId: Id<"action">, by: string): Promise<boolean>;
  /** Those of these that somebody wants cancelled. */
  cancelled(actionIds: readonly Id<"action">[]): Promise<{ actionId: Id<"action">; by: string }[]>;
  /** Every one that is followed, by any server. */
  all(): Promise<{ actionId: Id<"action">; upstream: string; task: string }[]>;
};
