import { type ErrorCode, RemitError } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { done, openTestActionPath, type TestActionPath } from "./action-path.testing.ts";

/** Reading a ticket twice is reading it once. */
function open(): Promise<TestActionPath> {
  return openTestActionPath({ tools: [{ name: "tickets.read", timeoutMs: 2_000, idempotent: true }] });
}

async function outcomeOf(remit: TestActionPath, actionId: string) {
  const entries = await remit.entries(actionId);
  return entries.find(({ type }) => /^action-(?:succeeded|failed)$/.test(type));
}

describe("calling again", () => {
  const unwell = { content: [{ type: "text", text: "HTTP 503" }], isError: true, _meta: { "remit/http-status": 503 } };

  test("[RUN-14] a tool that is registered as idempotent is called again after a failure that passes; every attempt is recorded", async () => {
    await using remit = await open();
    const answers = [() => Promise.reject(new RemitError("outcome-unknown", "the connection broke")), () => unwell, () => done];
    remit.upstream.answer = () => (answers.shift() ?? (() => done))();
    const outcome = await remit.act("tickets.read", { id: "1" });
    expect(outcome.type).toBe("succeeded");
    const entry = await outcomeOf(remit, outcome.actionId);
    expect(entry?.data["attempts"]).toMatchObject([{ code: "outcome-unknown" }, { code: "http-error" }, { code: null }]);
    // Each had less time than the one before: the first's deadline holds for all.
    const [first, second, third] = remit.upstream.calls.map(({ timeoutMs }) => timeoutMs);
    expect(first).toBe(2_000);
    expect(second).toBeLessThan(2_000);
    expect(third).toBeLessThan(second ?? 0);
  });

  test("[RUN-14] is not done where it could do harm, or no good", async () => {
    await using remit = await open();
    const refuse = (code: ErrorCode) => () => Promise.reject(new RemitError(code, "no"));
    const cases: [name: string, tool: string, fails: typeof remit.upstream.answer][] = [
      ["a tool that is not idempotent", "tickets.draft_reply", refuse("upstream-unavailable")],
      ["an error that does not pass", "tickets.read", refuse("upstream-error")],
      ["a timeout, for the time is used up", "tickets.read", refuse("upstream-timeout")],
      ["an open circuit", "tickets.read", refuse("circuit-open")],
      ["a queue that is full", "tickets.read", refuse("upstream-busy")],
      ["a tool that reports an error", "tickets.read", () => ({ content: [], isError: true })],
    ];
    for (const [name, tool, fails] of cases) {
      remit.upstream.calls.length = 0;
      remit.upstream.answer = fails;
      const outcome = await remit.act(tool, { id: "1" });
      expect(outcome.type, name).toBe("failed");
      expect(remit.upstream.calls, name).toHaveLength(1);
      expect((await outcomeOf(remit, outcome.actionId))?.data).not.toHaveProperty("attempts");
    }
  });

  test("[RUN-14] a halt ends the pause before the next attempt", async () => {
    await using remit = await open();
    remit.upstream.answer = () => {
      const halted = remit.halts.engage(remit.person("ben"), { mode: "halt", scope: { type: "everything" }, reason: "enough" });
      return halted.then(() => Promise.reject(new RemitError("outcome-unknown", "the connection broke")));
    };
    expect(await remit.act("tickets.read", { id: "1" })).toMatchObject({ type: "failed", code: "halted" });
    expect(remit.upstream.calls).toHaveLength(1);
  });
});
