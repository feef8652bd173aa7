/** When a circuit opens, and for how long. Milliseconds. */
export type CircuitPolicy = {
  /** Opens when so many of a hundred calls in the window were faults, … */
  faultPercent: number;
  /** … and there were at least so many; … */
  minimumCalls: number;
  windowMs: number;
  /** … or when so many in a row were, however far apart. */
  faultsInARow: number;
  /** The first time it stays open so long; each time that a trial fails, twice as long. */
  openMs: number;
  maxOpenMs: number;
  /** So many trials in a row must succeed before it closes. One runs at a time. */
  trials: number;
};

export const defaultCircuitPolicy: CircuitPolicy = {
  faultPercent: 50,
  minimumCalls: 10,
  windowMs: 30_000,
  faultsInARow: 5,
  openMs: 5_000,
  maxOpenMs: 60_000,
  trials: 2,
};

type Slot = { start: number; calls: number; faults: number };

/**
 * Whether calls go through. Immutable; what happens gives the next one.
 * `term` counts the changes of state: the end of a call counts only in the term in which it began, so that what was sent before the
 * circuit opened says nothing about the trial that runs now.
 */
export type Circuit = { term: number } & (
  | { state: "closed"; slots: readonly Slot[]; inARow: number }
  | { state: "open"; until: number; openedBefore: number }
  | { state: "half-open"; isTrying: boolean; succeeded: number; openedBefore: number }
);

export const closedCircuit: Circuit = { term: 0, state: "closed", slots: [], inARow: 0 };

/** `fault`: the upstream's own failure. `neither`: says nothing about the upstream (cancelled, refused before it was sent). */
export type CallEnd = "fine" | "fault" | "neither";

export type CircuitAdmission =
  | { type: "admitted"; circuit: Circuit; term: number }
  | { type: "refused"; circuit: Circuit; until: number | null };

/** Asks for a call to go through. `until` is when the next one may try; null: while a trial runs. */
export function enterCircuit(circuit: Circuit, now: number): CircuitAdmission {
  switch (circuit.state) {
    case "closed":
      return { type: "admitted", circuit, term: circuit.term };
    case "open": {
      if (now < circuit.until) return { type: "refused", circuit, until: circuit.until };
      const term = circuit.term + 1;
      return {
        type: "admitted",
        term,
        circuit: { term, state: "half-open", isTrying: true, succeeded: 0, openedBefore: circuit.openedBefore },
      };
    }
    case "half-open":
      if (circuit.isTrying) return { type: "refused", circuit, until: null };
      return { type: "admitted", term: circuit.term, circuit: { ...circuit, isTrying: true } };
  }
}

/** What the end of a call that was admitted in `term` makes of the circuit. */
export function leaveCircuit(circuit: Circuit, policy: CircuitPolicy, term: number, end: CallEnd, now: number): Circuit {
  if (term !== circuit.term) return circuit;
  switch (circuit.state) {
    case "closed":
      return end === "neither" ? circuit : counted(circuit, policy, end === "fault", now);
    case "half-open": {
      if (end === "neither") return { ...circuit, isTrying: false };
      if (end === "fault") return opened(circuit.term, policy, circuit.openedBefore, now);
      const succeeded = circuit.succeeded + 1;
      if (succeeded < policy.trials) return { ...circuit, isTrying: false, succeeded };
      return { term: circuit.term + 1, state: "closed", slots: [], inARow: 0 };
    }
    case "open":
      return circuit;
  }
}

const slotsPerWindow = 6;

function counted(circuit: Extract<Circuit, { state: "closed" }>, policy: CircuitPolicy, isFault: boolean, now: number): Circuit {
  const length = policy.windowMs / slotsPerWindow;
  const fault = isFault ? 1 : 0;
  const kept = circuit.slots.every((slot) => isWithin(slot, policy, now))
    ? circuit.slots
    : circuit.slots.filter((slot) => isWithin(slot, policy, now));
  const last = kept.at(-1);
  const slots =
    last !== undefined && now < last.start + length
      ? kept.with(kept.length - 1, { start: last.start, calls: last.calls + 1, faults: last.faults + fault })
      : [...kept, { start: now, calls: 1, faults: fault }];
  // What went well opens nothing, and most calls do.
  if (!isFault) return { term: circuit.term, state: "closed", slots, inARow: 0 };
  const inARow = circuit.inARow + 1;
  const calls = slots.reduce((sum, slot) => sum + slot.calls, 0);
  const faults = slots.reduce((sum, slot) => sum + slot.faults, 0);
  const isTooMany = calls >= policy.minimumCalls && faults * 100 >= policy.faultPercent * calls;
  if (isTooMany || inARow >= policy.faultsInARow) return opened(circuit.term, policy, 0, now);
  return { term: circuit.term, state: "closed", slots, inARow };
}

function isWithin({ start }: Slot, { windowMs }: CircuitPolicy, now: number): boolean {
  return start > now - windowMs && start <= now;
}

function opened(term: number, policy: CircuitPolicy, openedBefore: number, now: number): Circuit {
  const openMs = Math.min(policy.maxOpenMs, policy.openMs * 2 ** Math.min(openedBefore, 30));
  return { term: term + 1, state: "open", until: now + openMs, openedBefore: openedBefore + 1 };
}
