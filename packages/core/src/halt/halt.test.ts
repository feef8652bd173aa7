import type { HaltScope } from "@remit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Halt, type HaltSubject, mayRelease, stoppedBy } from "./halt.ts";

const subject: HaltSubject = {
  environment: "staging",
  agent: "triage",
  tool: "helpdesk__send_email",
  upstream: "helpdesk",
  run: "run_00000000000000000000000000000001",
  effect: "write",
};
const halt = (scope: unknown, mode: Halt["mode"] = "halt"): Halt => ({ id: "hlt", mode, scope: scope as HaltScope, reason: "drill" });

test.each<[unknown, boolean]>([
  [{ type: "everything" }, true],
  [{ type: "environment", name: "staging" }, true],
  [{ type: "environment", name: "production" }, false],
  [{ type: "agent", name: "triage" }, true],
  [{ type: "agent", name: "other" }, false],
  [{ type: "tool", name: "helpdesk__send_email" }, true],
  [{ type: "tool", name: "helpdesk__kb.search" }, false],
  [{ type: "upstream", name: "helpdesk" }, true],
  [{ type: "run", name: subject.run }, true],
  [{ type: "run", name: "run_00000000000000000000000000000002" }, false],
])("[SAF-01] a halt of %o stops the action: %s", (scope, stops) => {
  expect(stoppedBy([halt(scope)], subject) !== null).toBe(stops);
});

test("[SAF-02] safe mode lets only reads through", () => {
  const safeMode = halt({ type: "everything" }, "safe-mode");
  expect(stoppedBy([safeMode], { ...subject, effect: "read" })).toBeNull();
  expect(stoppedBy([safeMode], { ...subject, effect: "propose" })).toBe(safeMode);
  expect(stoppedBy([safeMode], subject)).toBe(safeMode);
});

test("[SAF-01] one more halt never lets anything through", () => {
  const scope = fc.constantFrom(
    { type: "everything" },
    { type: "agent", name: "triage" },
    { type: "agent", name: "other" },
    { type: "upstream", name: "helpdesk" },
  );
  const halts = fc.array(fc.tuple(scope, fc.constantFrom("halt" as const, "safe-mode" as const)).map(([of, mode]) => halt(of, mode)));
  const effect = fc.constantFrom("read" as const, "propose" as const, "write" as const);
  fc.assert(
    fc.property(halts, halts, effect, (some, more, what) => {
      if (stoppedBy(some, { ...subject, effect: what }) !== null) {
        expect(stoppedBy([...more, ...some], { ...subject, effect: what })).not.toBeNull();
      }
    }),
  );
});

test.each([
  [null, { party: "ada", linkedBy: "service:machine" }, "first"],
  [{ party: "ada", linkedBy: "service:machine" }, { party: "ben", linkedBy: "service:machine" }, "second"],
  [{ party: "ada", linkedBy: "service:machine" }, { party: "ada", linkedBy: "service:machine" }, "same-person"],
  [{ party: "ada", linkedBy: "service:machine" }, { party: "ben", linkedBy: "party:ada" }, "same-person"],
  [{ party: "ben", linkedBy: "party:ada" }, { party: "ada", linkedBy: "service:machine" }, "same-person"],
])("[SAF-01] releasing takes two people: after %o, %o is the %s", (first, speaker, expected) => {
  expect(mayRelease(first, speaker)).toBe(expected);
});
