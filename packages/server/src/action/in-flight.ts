import type { Id } from "@remit/contract";
import { type Halt, type HaltSubject, stoppedBy, TransientMap } from "@remit/core";

/** Executions that began of late are remembered, this many at most: for the measure of how soon a halt held. */
const maxStarts = 2_048;

/** Why an action was stopped while it ran. */
export type Stop = { state: "halted" | "cancelled"; code: "halted" | "safe-mode" | "cancelled"; why: string };

/** One action that this server executes, from before it is looked at for the last time until it has ended. */
export type Flight = {
  /** Aborted by a halt, or by the caller's own signal. */
  signal: AbortSignal;
  stop(): Stop | null;
  /** Stops it where one of these halts covers it; says whether one did now. */
  apply(halts: readonly Halt[]): boolean;
  /** Says that it begins to execute now. */
  begin(): void;
  leave(): void;
};

/** What this server is executing now, so that a halt can reach it. */
export type InFlight = {
  /** Says that this server sees to an action, from before its intent until its outcome is recorded, or until the result is called. */
  hold(id: Id<"action">): () => void;
  isHeld(id: Id<"action">): boolean;
  enter(id: Id<"action">, subject: HaltSubject, callerSignal: AbortSignal): Flight;
  /** How long ago something that this halt covers last began to execute here, in milliseconds; null where nothing did of late. */
  sinceLastStart(halt: Halt): number | null;
  /** Stops everything that these halts cover; returns how many. */
  apply(halts: readonly Halt[]): number;
  /** The runs of which something is executing here. */
  runs(): string[];
  /** Stops everything of a run. */
  cancelRun(run: string, why: string): void;
  /** Stops one action. False: it does not run here. */
  cancelAction(id: Id<"action">, why: string): boolean;
  /** Stops everything, now and from now on: the server is going away. */
  close(): void;
  /** Aborted once {@link close} has been called. */
  closing: AbortSignal;
  /** Resolves when the action has ended here; null when it does not run here. */
  ended(id: Id<"action">): Promise<void> | null;
  size(): number;
};

const closed: Stop = { state: "cancelled", code: "cancelled", why: "The server was stopped." };
const callerGone: Stop = { state: "cancelled", code: "cancelled", why: "The caller went away." };

type Board = {
  flights: TransientMap<Id<"action">, BoardedFlight>;
  closing: AbortSignal;
  started(subject: HaltSubject): void;
};

/** A class: what it does is not made anew for every call. */
class BoardedFlight implements Flight {
  readonly subject: HaltSubject;
  readonly #id: Id<"action">;
  readonly #board: Board;
  readonly #caller: AbortSignal;
  readonly #abort = new AbortController();
  readonly #onCaller = (): void => this.end(callerGone);
  #stop: Stop | null = null;
  #left: PromiseWithResolvers<void> | null = null;

  constructor(id: Id<"action">, subject: HaltSubject, caller: AbortSignal, board: Board) {
    this.subject = subject;
    this.#id = id;
    this.#board = board;
    this.#caller = caller;
    board.flights.set(id, this);
    if (board.closing.aborted) this.end(closed);
    if (caller.aborted) this.end(callerGone);
    else caller.addEventListener("abort", this.#onCaller);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  stop(): Stop | null {
    return this.#stop;
  }

  end(stop: Stop): void {
    if (this.#stop !== null) return;
    this.#stop = stop;
    this.#abort.abort(new Error(stop.why));
  }

  apply(halts: readonly Halt[]): boolean {
    if (halts.length === 0 || this.#stop !== null) return false;
    const halt = stoppedBy(halts, this.subject);
    if (halt === null) return false;
    this.end({
      state: "halted",
      code: halt.mode === "halt" ? "halted" : "safe-mode",
      why: `Stopped by people: ${halt.reason}.`,
    });
    return true;
  }

  begin(): void {
    this.#board.started(this.subject);
  }

  leave(): void {
    this.#caller.removeEventListener("abort", this.#onCaller);
    this.#board.flights.delete(this.#id);
    this.#left?.resolve();
  }

  /** Resolves once it has left. Few are waited for. */
  left(): Promise<void> {
    return (this.#left ??= Promise.withResolvers<void>()).promise;
  }
}

export function createInFlight(): InFlight {
  const flights = new TransientMap<Id<"action">, BoardedFlight>();
  const held = new TransientMap<Id<"action">, number>();
  const closing = new AbortController();
  let starts: { subject: HaltSubject; at: number }[] = [];
  const board: Board = {
    flights,
    closing: closing.signal,
    started(subject) {
      if (starts.length >= 2 * maxStarts) starts = starts.slice(-maxStarts);
      starts.push({ subject, at: performance.now() });
    },
  };

  return {
    hold(id) {
      held.set(id, (held.get(id) ?? 0) + 1);
      return () => {
        const left = (held.get(id) ?? 1) - 1;
        if (left > 0) held.set(id, left);
        else held.delete(id);
      };
    },
    isHeld: (id) => held.has(id),
    enter: (id, subject, callerSignal) => new BoardedFlight(id, subject, callerSignal, board),
    sinceLastStart(halt) {
      const last = starts.findLast(({ subject }) => stoppedBy([halt], subject) !== null);
      return last === undefined ? null : performance.now() - last.at;
    },
    apply(halts) {
      let stopped = 0;
      for (const flight of flights.values()) if (flight.apply(halts)) stopped += 1;
      return stopped;
    },
    runs: () => [...new Set(flights.values().flatMap(({ subject }) => subject.run ?? []))],
    cancelRun(run, why) {
      for (const flight of flights.values()) if (flight.subject.run === run) flight.end({ state: "cancelled", code: "cancelled", why });
    },
    cancelAction(id, why) {
      const flight = flights.get(id);
      flight?.end({ state: "cancelled", code: "cancelled", why });
      return flight !== undefined;
    },
    close() {
      closing.abort();
      for (const flight of flights.values()) flight.end(closed);
    },
    closing: closing.signal,
    ended: (id) => flights.get(id)?.left() ?? null,
    size: () => flights.size,
  };
}
