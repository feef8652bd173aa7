import type { ActionView, EndRun, Id, RunState, RunToken, RunView, StartRun, StartedRun } from "@remit/contract";
import type { Transaction } from "../database/database.ts";
import type { Page } from "../http/page.ts";

/** Runs, for whoever starts, follows, ends or stops them. `actor`: as in entries, `party:<name>` or `service:<name>`. */
export type Runs = {
  /**
   * Starts a run and claims the oldest ready item of its queue with it; an empty queue starts nothing.
   * @throws RemitError `not-found` | `invalid-request` | `unknown-agent` | `agent-suspended` | `no-accountable-human`
   * | `environment-not-granted` | `policy-missing` | `halted` | `control-state-stale`
   */
  start(actor: string, start: StartRun): Promise<StartedRun>;
  /**
   * A fresh token, which keeps the run and its work for longer.
   * @throws RemitError `not-found` | `forbidden` (somebody else's run) | `run-ended`, and those of {@link Callers}
   */
  renew(id: Id<"run">, holder: RunHolder): Promise<RunToken>;
  /** Ending twice in the same way is ending once. @throws RemitError `not-found` | `conflict` */
  end(id: Id<"run">, actor: string, end: EndRun): Promise<RunView>;
  get(id: Id<"run">): Promise<RunView>;
  list(query: { state: RunState | null; workflow: string | null; before: string | null; limit: number }): Promise<Page<RunView>>;
  actions(id: Id<"run">, query: { after: number | null; limit: number }): Promise<Page<ActionView>>;
  /** Stops a run in the transaction of the halt that names it. False: there is no such run, or it had ended. */
  haltRun(transaction: Transaction, id: Id<"run">, reason: string, actor?: string): Promise<boolean>;
  /** Ends the runs whose lease or time is over. How many; `onError` is told of each that could not be. */
  catchUp(onError: (error: unknown, id: Id<"run">) => void): Promise<number>;
};

/** Who asks for a run's next token: who started it, or its agent with a token of it that is still good. */
export type RunHolder = { type: "actor"; actor: string } | { type: "agent"; token: string };
