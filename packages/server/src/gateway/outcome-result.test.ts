import type { ActionOutcome, Id, JsonObject } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { resultOf } from "./outcome-result.ts";

const actionId = `act_${"1".repeat(32)}` as Id<"action">;
const textOf = (outcome: ActionOutcome) => resultOf(outcome, true).content[0]?.["text"];

describe("[CTL-18] what a client is given", () => {
  test("what succeeded, as it came, with its receipt and nothing that would speak in our name", () => {
    const result = {
      content: [{ type: "audio", data: "AA==", mimeType: "audio/wav" }],
      structuredContent: { a: 1 },
      custom: { kept: true },
      _meta: { "example.com/x": 1, "remit/action": "act_forged", "remit/outcome": { type: "succeeded" } },
    };
    expect(resultOf({ actionId, type: "succeeded", result }, true)).toEqual({
      ...result,
      _meta: { "example.com/x": 1, "remit/action": actionId },
    });
  });

  test.each<[ActionOutcome, RegExp]>([
    [
      { actionId, type: "denied", code: "policy-stop", reason: "No refunds on Sundays", policies: ["p"] },
      /^Refused by Remit: No refunds on Sundays\. \(policy-stop\) .*do not retry/,
    ],
    [
      { actionId, type: "denied", code: "invalid-arguments", reason: "/id is missing.", policies: [] },
      /\/id is missing\. \(invalid-arguments\) Correct the arguments/,
    ],
    [{ actionId, type: "denied", code: "halted", reason: "Everything is halted", policies: [] }, /Stop working on it/],
    [
      { actionId, type: "failed", code: "upstream-unavailable", reason: "It is down" },
      /^Failed: It is down\. \(upstream-unavailable\) Nothing was sent/,
    ],
    [{ actionId, type: "failed", code: "upstream-timeout", reason: "30 s" }, /not known; check before/],
  ])("%o", (outcome, text) => {
    const result = resultOf(outcome, true);
    expect(textOf(outcome)).toMatch(text);
    expect(result).toMatchObject({ isError: true, _meta: { "remit/action": actionId, "remit/outcome": { actionId, type: outcome.type } } });
    expect(result.structuredContent).toEqual((result._meta as JsonObject)["remit/outcome"]);
  });

  const waiting: ActionOutcome = {
    actionId,
    type: "waiting",
    approvalId: `apr_${"2".repeat(32)}` as Id<"approval">,
    link: "http://localhost:4680/approvals/apr_2",
    expiresAt: "2026-11-21T12:00:00.000Z",
    teams: ["support-lead", "finance"],
    reason: "Mail to outsiders needs approval",
  };

  test("what waits is no success, and says for whom, where, until when and what to do", () => {
    const text = textOf(waiting);
    for (const part of [
      "Not done yet",
      "support-lead and finance",
      waiting.link,
      waiting.approvalId,
      waiting.expiresAt,
      "repeat exactly the same call",
    ]) {
      expect(text).toContain(part);
    }
    expect(resultOf(waiting, true)).toMatchObject({
      isError: true,
      structuredContent: { status: "approval-pending", approvalId: waiting.approvalId, link: waiting.link, teams: waiting.teams, actionId },
    });
  });

  test("a tool with an output schema gets no structured content that is not its own", () => {
    expect(resultOf(waiting, false)).not.toHaveProperty("structuredContent");
    expect(resultOf(waiting, false)._meta).toMatchObject({ "remit/outcome": { status: "approval-pending" } });
  });

  test("what failed with a result of its own shows that", () => {
    const result = { content: [{ type: "text", text: "no such ticket" }], isError: true };
    expect(resultOf({ actionId, type: "failed", code: "upstream-error", reason: "It says no", result }, true)).toMatchObject({
      content: result.content,
      isError: true,
      _meta: { "remit/outcome": { code: "upstream-error" } },
    });
  });
});
