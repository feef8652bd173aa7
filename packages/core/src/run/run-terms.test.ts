import type { ErrorCode, StartRun } from "@remit/contract";
import { startRunSchema } from "@remit/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Halt } from "../halt/halt.ts";
import { buildRegistry } from "../registry/registry.testing.ts";
import type { RegistryOverrides } from "../registry/registry.testing.ts";
import { runTerms } from "./run-terms.ts";

const start = (more: Partial<StartRun> = {}): StartRun => startRunSchema.parse({ workflow: "triage", environment: "staging", ...more });

describe("[RUN-01] what a run starts with", () => {
  test("is what its workflow and agent say, where nothing else is asked for", () => {
    expect(runTerms(buildRegistry(), [], start())).toMatchObject({
      type: "terms",
      terms: { policy: "customer_support_tier1_v3", queue: "billing-tier1", maxActions: 20, wallclock: 600_000, requireApproval: [] },
    });
  });

  test("can be narrowed", () => {
    const narrowed = start({ queue: null, maxActions: 3, requireApproval: ["send_email", "helpdesk__refund.create", "send_email"] });
    expect(runTerms(buildRegistry(), [], narrowed)).toMatchObject({
      type: "terms",
      terms: { queue: null, maxActions: 3, requireApproval: ["send_email", "helpdesk__refund.create"] },
    });
  });
});

const suspended = { agents: [{ name: "support-agent", suspended: { code: "agent-suspended" as const, reason: "under review" } }] };

test.each<[string, Partial<StartRun>, ErrorCode, string, string, RegistryOverrides?]>([
  ["a workflow that is not there", { workflow: "triag" }, "not-found", "/workflow", 'did you mean "triage"?'],
  ["an agent that is suspended", {}, "agent-suspended", "/workflow", "under review", suspended],
  ["an environment that is not granted", { environment: "production" }, "environment-not-granted", "/environment", "dev, staging"],
  ["a misspelt environment", { environment: "stagin" }, "environment-not-granted", "/environment", 'did you mean "staging"?'],
  [
    "[CTL-14] a policy that is not the agent's",
    { policy: "customer_support_tier1_v2" },
    "policy-missing",
    "/policy",
    'did you mean "customer_s',
  ],
  ["a queue that is not there", { queue: "billing-tier2" }, "not-found", "/queue", 'did you mean "billing-tier1"?'],
  ["[CTL-29] more actions than the workflow allows", { maxActions: 21 }, "invalid-request", "/maxActions", "20 actions"],
  ["a misspelt tool", { requireApproval: ["send_mail"] }, "invalid-request", "/requireApproval", 'did you mean "send_email"?'],
  ["a tool of nobody among good ones", { requireApproval: ["send_email", "x"] }, "invalid-request", "/requireApproval", "no tool x"],
])("%s is refused in words", (_, more, code, pointer, words, registry = {}) => {
  const refusal = runTerms(buildRegistry(registry), [], start(more));
  expect(refusal).toMatchObject({ type: "refused", code, pointer });
  expect(refusal.type === "refused" && refusal.reason).toContain(words);
});

test.each<[Halt["scope"], Halt["mode"], boolean]>([
  [{ type: "everything" }, "halt", true],
  [{ type: "everything" }, "safe-mode", false],
  [{ type: "environment", name: "staging" }, "halt", true],
  [{ type: "environment", name: "production" }, "halt", false],
  [{ type: "agent", name: "support-agent" }, "halt", true],
  [{ type: "agent", name: "other-agent" }, "halt", false],
  [{ type: "tool", name: "helpdesk__send_email" }, "halt", false],
  [{ type: "upstream", name: "helpdesk" }, "halt", false],
])("[SAF-21] under a halt of %o in mode %s no run starts that could do nothing: %s", (scope, mode, refused) => {
  const halts = [{ id: "hlt_1", mode, scope, reason: "an incident" }];
  const answer = runTerms(buildRegistry(), halts, start());
  expect(answer).toMatchObject(refused ? { type: "refused", code: "halted" } : { type: "terms" });
});

test("[CTL-29] law: no request gets more actions than the workflow allows, nor loses a tool that is to wait", () => {
  const tools = ["send_email", "helpdesk__send_email", "tickets.read", "refund.create", "send-email", ""];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.constantFrom(...tools)),
      (limit, maxActions, named) => {
        const registry = buildRegistry({ workflows: [{ name: "triage", limits: { actions: limit, wallclock: "PT1M" } }] });
        const answer = runTerms(registry, [], { ...start(), maxActions, requireApproval: named });
        if (answer.type === "refused") return maxActions > limit || named.some((name) => name === "" || name === "send-email");
        return (
          answer.terms.maxActions === Math.min(limit, maxActions) && named.every((name) => answer.terms.requireApproval.includes(name))
        );
      },
    ),
  );
});
