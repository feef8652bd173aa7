import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { enterCircuit, type CallEnd, type Circuit, closedCircuit, defaultCircuitPolicy, leaveCircuit } from "./circuit.ts";

const policy = { ...defaultCircuitPolicy, minimumCalls: 4, faultsInARow: 3, windowMs: 6_000, openMs: 100, maxOpenMs: 400, trials: 2 };

/** Calls one after the other, each ending at once. What was refused is not called. */
function after(ends: readonly [at: number, end: CallEnd][], from: Circuit = closedCircuit): Circuit {
  return ends.reduce((circuit, [at, end]) => {
    const admission = enterCircuit(circuit, at);
    return admission.type === "refused" ? circuit : leaveCircuit(admission.circuit, policy, admission.term, end, at);
  }, from);
}

describe("a circuit", () => {
  const table: [name: string, ends: [number, CallEnd][], state: Circuit["state"]][] = [
    [
      "stays closed while calls are fine",
      [
        [0, "fine"],
        [1, "fine"],
        [2, "fine"],
        [3, "fine"],
      ],
      "closed",
    ],
    [
      "opens after so many faults in a row, however far apart",
      [
        [0, "fault"],
        [50_000, "fault"],
        [100_000, "fault"],
      ],
      "open",
    ],
    [
      "does not count what says nothing",
      [
        [0, "fault"],
        [1, "neither"],
        [2, "fault"],
        [3, "neither"],
        [4, "neither"],
      ],
      "closed",
    ],
    [
      "opens at the share of faults",
      [
        [0, "fault"],
        [1, "fine"],
        [2, "fine"],
        [3, "fault"],
      ],
      "open",
    ],
    [
      "not before there were enough calls",
      [
        [0, "fault"],
        [1, "fine"],
        [2, "fault"],
      ],
      "closed",
    ],
    [
      "forgets what is older than the window",
      [
        [0, "fault"],
        [1, "fine"],
        [9_000, "fine"],
        [9_001, "fault"],
      ],
      "closed",
    ],
    [
      "tries again when its time is over, and needs more than one success",
      [
        [0, "fault"],
        [1, "fault"],
        [2, "fault"],
        [102, "fine"],
      ],
      "half-open",
    ],
    [
      "closes after the trials",
      [
        [0, "fault"],
        [1, "fault"],
        [2, "fault"],
        [102, "fine"],
        [103, "fine"],
      ],
      "closed",
    ],
    [
      "opens again when a trial fails",
      [
        [0, "fault"],
        [1, "fault"],
        [2, "fault"],
        [102, "fault"],
        [110, "fine"],
      ],
      "open",
    ],
  ];
  test.each(table)("[RUN-19] %s", (_name, ends, state) => {
    expect(after(ends).state).toBe(state);
  });

  test("[RUN-19] stays open twice as long each time, up to its most, and says until when", () => {
    let circuit = after([
      [0, "fault"],
      [1, "fault"],
      [2, "fault"],
    ]);
    const lengths: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      if (circuit.state !== "open") throw new Error("it should be open");
      const { until } = circuit;
      expect(enterCircuit(circuit, until - 1)).toMatchObject({ type: "refused", until });
      circuit = after([[until, "fault"]], circuit);
      if (circuit.state === "open") lengths.push(circuit.until - until);
    }
    expect(lengths).toEqual([200, 400, 400, 400]);
  });

  test("lets one trial run at a time, and a trial that says nothing gives its place back", () => {
    const open = after([
      [0, "fault"],
      [1, "fault"],
      [2, "fault"],
    ]);
    const trial = enterCircuit(open, 200);
    expect(trial.type).toBe("admitted");
    expect(enterCircuit(trial.circuit, 200)).toMatchObject({ type: "refused", until: null });
    if (trial.type !== "admitted") return;
    expect(enterCircuit(leaveCircuit(trial.circuit, policy, trial.term, "neither", 201), 202).type).toBe("admitted");
  });

  test("what was sent before it opened changes nothing afterwards, whenever it ends", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<CallEnd>("fine", "fault", "neither"), { maxLength: 20 }), fc.nat(10_000), (ends, at) => {
        const open = after([
          [0, "fault"],
          [1, "fault"],
          [2, "fault"],
        ]);
        for (const end of ends) expect(leaveCircuit(open, policy, 0, end, at)).toBe(open);
      }),
    );
  });

  test("never refuses for longer than its most, whatever happens", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1_000), fc.constantFrom<CallEnd>("fine", "fault", "neither")), { maxLength: 60 }), (steps) => {
        let now = 0;
        let circuit: Circuit = closedCircuit;
        for (const [wait, end] of steps) {
          now += wait;
          circuit = after([[now, end]], circuit);
          if (circuit.state === "open") expect(circuit.until - now).toBeLessThanOrEqual(policy.maxOpenMs);
          expect(enterCircuit(circuit, now + policy.maxOpenMs).type).toBe("admitted");
        }
      }),
    );
  });
});
