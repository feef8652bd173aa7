import type { Id } from "@remit/contract";
import { type Halt, type HaltSubject, stoppedBy } from "@remit/core";

/** Why an action was stopped while it ran. */
export type Stop = { state: "halted" | "cancelled"; code: "halted" | "safe-mode" | "cancelled"; reason: string };

type Flight = { subject: HaltSubject; abort: AbortController; stop: Stop | null; ended: Promise<void>; end: () => void };

/** What this server is executing now, so that a halt can reach it. */
export type InFlight = {
  /** Registers an action; its signal is aborted by a halt, or by the caller's own signal. */
  enter(
    id: Id<"action">,
    subject: HaltSubject,
    callerSignal: AbortSignal,
  ): { signal: AbortSignal; stop: () => Stop | null; leave: () => void };
  /** Stops everything that these halts cover; returns how many. */
  apply(halts: readonly Halt[]): number;
  /** The runs of which something is executing here. */
  runs(): string[];
  /** Stops everything of a run. */
  cancelRun(run: string, reason: string): void;
  /** Resolves when the action has ended here; null when it does not run here. */
  ended(id: Id<"action">): Promise<void> | null;
  size(): number;
};

export function createInFlight(): InFlight {
  const flights = new Map<Id<"action">, Flight>();

  function stopFlight(flight: Flight, stop: Stop): void {
    if (flight.stop !== null) return;
    flight.stop = stop;
    flight.abort.abort(new Error(stop.reason));
  }

  return {
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
          reason: "The caller went away while it ran; it may or may not have happened.",
        });
      if (callerSignal.aborted) onCaller();
      else callerSignal.addEventListener("abort", onCaller, { once: true });
      return {
        signal: flight.abort.signal,
        stop: () => flight.stop,
        leave: () => {
          callerSignal.removeEventListener("abort", onCaller);
          flights.delete(id);
          flight.end();
        },
      };
    },
    apply(halts) {
      let stopped = 0;
      for (const flight of flights.values()) {
        const halt = stoppedBy(halts, flight.subject);
        if (halt === null || flight.stop !== null) continue;
        stopFlight(flight, {
          state: "halted",
          code: halt.mode === "halt" ? "halted" : "safe-mode",
          reason: `Stopped while it ran: ${halt.reason}. It may or may not have happened.`,
        });
        stopped += 1;
      }
      return stopped;
    },
    runs: () => [...new Set([...flights.values()].flatMap(({ subject }) => subject.run ?? []))],
    cancelRun(run, reason) {
      for (const flight of flights.values())
        if (flight.subject.run === run) stopFlight(flight, { state: "cancelled", code: "cancelled", reason });
    },
    ended: (id) => flights.get(id)?.ended ?? null,
    size: () => flights.size,
  };
}
