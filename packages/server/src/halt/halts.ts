import type { HaltMode, HaltScope, HaltView, Person } from "@remit/contract";
import type { Halt } from "@remit/core";

/** The halts in force, as this server last confirmed them. */
export type Halts = { current(): readonly Halt[] };

/** Engaging is for anybody who operates; releasing takes two people. */
export type HaltService = Halts & {
  /**
   * Takes effect on this server before it returns, and waits a little for all others to say that it has taken effect there: the view
   * says which did not. `sinceCommand`: how long ago somebody gave the command, in milliseconds.
   */
  engage(person: Person, halt: { mode: HaltMode; scope: HaltScope; reason: string }, sinceCommand?: () => number): Promise<HaltView>;
  /**
   * The first person asks; a second, different one releases.
   * @throws RemitError `not-found` | `conflict` (ended already) | `forbidden` (the same person twice)
   */
  release(id: string, person: Person, reason: string): Promise<HaltView & { releasedAt: string | null }>;
  list(): Promise<HaltView[]>;
};
