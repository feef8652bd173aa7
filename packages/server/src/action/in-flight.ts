import type { Id } from "@remit/contract";
import { type Halt, type HaltSubject, stoppedBy } from "@remit/core";

/** Executions that began of late are remembered, this many at most: for the measure of how soon a halt held. */
const maxStarts = 2_048;

/** Why an action was stopped while it ran. */
export type Stop = { state: "halted" | "cancelled"; code: "halted" | "safe-mode" | "cancelled"; why: string };

type Flight = { subject: HaltSubject; abort: AbortController; stop: Stop | null; ended: Promise<void>; end: () => void };

/** What this server is executing now, so that a halt can reach it. */
export type InFlight = {
  /** Says that this server sees to an action, from before its intent until its outcome is recorded, or until the result is called. */
  hold(id: Id<"action">): () => void;
  isHeld(id: Id<"action">): boolean;
  /** Registers an action; its signal is aborted by a halt, or by the caller's own signal. */
  enter(
    id: Id<"action">,
    subject: HaltSubject,
    callerSignal: AbortSignal,
  ): {
    signal: AbortSignal;
    stop: () => Stop | null;
    /** Says that it begins to execute now. */
    begin: () => void;
    leave: () => void;
  };
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

const closed: Stop = {
  state: "cancelled",
  code: "cancelled",
  why: "The server was stopped.",
};

export function createInFlight(): InFlight {
  const flights = new Map<Id<"action">, Flight>();
  const held = new Map<Id<"action">, number>();
  const closing = new AbortController();
  let starts: { subject: HaltSubject; at: number }[] = [];

  function stopFlight(flight: Flight, stop: Stop): void {
    if (flight.stop !== null) return;
    flight.stop = stop;
    flight.abort.abort(new Error(stop.why));
  }

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
    enter(id, subject, callerSignal) {
      let end = (): void => undefined;
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      const flight: Flight = { subject, abort: new AbortController(), stop: null, ended, end };
      flights.set(id, flight);
      const onCaller = (): void =>
        stopFlight(flight, {
          state: "cancelled",
          code: "cancelled",
          why: "The caller went away.",
        });
      if (closing.signal.aborted) stopFlight(flight, closed);
      if (callerSignal.aborted) onCaller();
      else callerSignal.addEventListener("abort", onCaller, { once: true });
      return {
        signal: flight.abort.signal,
        stop: () => flight.stop,
        begin: () => {
          if (starts.length >= 2 * maxStarts) starts = starts.slice(-maxStarts);
          starts.push({ subject, at: performance.now() });
        },
        leave: () => {
          callerSignal.removeEventListener("abort", onCaller);
          flights.delete(id);
          flight.end();
        },
      };
    },
    sinceLastStart(halt) {
      const last = starts.findLast(({ subject }) => stoppedBy([halt], subject) !== null);
      return last === undefined ? null : performance.now() - last.at;
    },
    apply(halts) {
      let stopped = 0;
      for (const flight of flights.values()) {
        const halt = stoppedBy(halts, flight.subject);
        if (halt === null || flight.stop !== null) continue;
        stopFlight(flight, {
          state: "halted",
          code: halt.mode === "halt" ? "halted" : "safe-mode",
          why: `Stopped by people: ${halt.reason}.`,
        });
        stopped += 1;
      }
      return stopped;
    },
    runs: () => [...new Set([...flights.values()].flatMap(({ subject }) => subject.run ?? []))],
    cancelRun(run, why) {
      for (const flight of flights.values())
        if (flight.subject.run === run) stopFlight(flight, { state: "cancelled", code: "cancelled", why });
    },
    cancelAction(id, why) {
      const flight = flights.get(id);
      if (flight !== undefined) stopFlight(flight, { state: "cancelled", code: "cancelled", why });
      return flight !== undefined;
    },
    close() {
      closing.abort();
      for (const flight of flights.values()) stopFlight(flight, closed);
    },
    closing: closing.signal,
    ended: (id) => flights.get(id)?.ended ?? null,
    size: () => flights.size,
  };
}
