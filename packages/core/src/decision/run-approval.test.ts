import type { Decision, RunBinding } from "@remit/contract";
import { expect, test } from "vitest";
import { runGate, withRunApproval } from "./run-approval.ts";

const run: RunBinding = {
  id: "run_00000000000000000000000000000001" as RunBinding["id"],
  workflow: "triage",
  queue: null,
  subject: null,
  maxActions: 3,
  deadline: 0,
  requireApproval: ["send_email"],
  approvers: "support-lead",
  serviceName: null,
};
const tool = { qualifiedName: "helpdesk__send_email", name: "send_email" };
const allow: Decision = { type: "allow", obligations: [], policies: ["grant"], shadow: [] };
const finance: Decision = {
  type: "require-approval",
  approvals: [{ team: "finance", gates: ["g"] }],
  obligations: [],
  policies: ["g"],
  shadow: [],
};
const deny: Decision = { type: "deny", code: "no-grant", reason: "no", policies: [], shadow: [] };

test("[CTL-28] a tool that the run names waits for a person", () => {
  expect(withRunApproval(allow, run, tool, [])).toMatchObject({
    type: "require-approval",
    approvals: [{ team: "support-lead", gates: [runGate] }],
  });
  expect(withRunApproval(allow, { ...run, requireApproval: ["helpdesk__send_email"] }, tool, [])).toMatchObject({
    type: "require-approval",
  });
  expect(withRunApproval(finance, run, tool, [])).toMatchObject({ approvals: [{ team: "finance" }, { team: "support-lead" }] });
});

test("[CTL-28] an approval in hand satisfies it, and other tools and runs are untouched", () => {
  expect(withRunApproval(allow, run, tool, ["support-lead"])).toBe(allow);
  expect(withRunApproval(finance, run, tool, ["support-lead"])).toBe(finance);
  expect(withRunApproval(allow, run, { qualifiedName: "helpdesk__kb.search", name: "kb.search" }, [])).toBe(allow);
  expect(withRunApproval(allow, null, tool, [])).toBe(allow);
});

test("[CTL-28] it never gains anything", () => {
  expect(withRunApproval(deny, run, tool, ["support-lead"])).toBe(deny);
});
