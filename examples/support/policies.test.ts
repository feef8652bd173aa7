import type { Decision, JsonObject } from "@remit/contract";
import type { PolicyRequest, Registry } from "@remit/core";
import { createCedarEngine, createPolicyWorkbench, parseFiles } from "@remit/server/testing";
import { beforeAll, expect, test } from "vitest";
import { assembleExample, exampleFiles } from "./registry.testing.ts";

const engine = createCedarEngine();
let registry: Registry;
beforeAll(async () => {
  const assembled = await assembleExample();
  if (assembled.type !== "registry") throw new Error(JSON.stringify(assembled.issues));
  ({ registry } = assembled);
  await engine.prepare(registry);
});

function decide(tool: string, input: JsonObject, changes: Partial<PolicyRequest> = {}): Decision {
  const spec = registry.tools.get(`helpdesk__${tool}`)?.spec;
  if (spec === undefined) throw new Error(`no tool ${tool}`);
  return engine.decide(registry, "customer_support_tier1_v3", {
    agent: "support-triage",
    roles: ["support-tier1"],
    tier: 2,
    tool: `helpdesk__${tool}`,
    upstream: "helpdesk",
    effect: spec.effect,
    sensitivity: spec.sensitivity,
    reversibility: spec.reversibility,
    queue: "billing-tier1",
    environment: "staging",
    environmentType: "staging",
    workflow: "triage",
    input,
    facts: {
      weekday: "tue",
      hour: 10,
      date: "2026-11-17",
      runActions: 1,
      runActionsLimit: 12,
      actionsThisMinute: 1,
      actionsToday: 1,
      amountToday: 0,
    },
    approvals: [],
    ...changes,
  });
}

const mail = (to: string, ticketId = "BIL-1001") => ({ ticketId, to, subject: "Re", body: "…" });
const refund = (amountCents: number, currency = "USD") => ({
  ticketId: "BIL-1001",
  amountCents,
  currency,
  reason: "duplicate",
  idempotencyKey: "BIL-1001-refund-1",
});
const production = { environment: "production", environmentType: "production" } as const;

/** `allow`, or the team that is asked, or the code and the policy that refused. */
function inWords(decision: Decision): string {
  if (decision.type === "allow") return "allow";
  if (decision.type === "require-approval") return `ask ${decision.approvals.map((approval) => approval.team).join(" and ")}`;
  return [decision.code, ...decision.policies].join(" ");
}

test.each<[string, string, JsonObject, Partial<PolicyRequest>, string]>([
  ["a ticket of its queue", "tickets.read", { ticketId: "BIL-1001" }, {}, "allow"],
  ["a ticket of another queue", "tickets.read", { ticketId: "ACC-3002" }, {}, "no-grant"],
  ["its own queue, searched", "tickets.search", { queue: "billing-tier1", text: "vat" }, {}, "allow"],
  ["all queues, searched", "tickets.search", { customer: "Harbour Light" }, {}, "no-grant"],
  ["another queue, searched", "tickets.search", { queue: "legal" }, {}, "no-grant"],
  ["the knowledge base", "kb.search", { query: "vat" }, {}, "allow"],
  [
    "the knowledge base, for a run of another queue",
    "kb.search",
    { query: "vat" },
    { queue: "legal" },
    "policy-stop stop.other_queues_runs",
  ],
  ["a draft", "tickets.draft_reply", { ticketId: "BIL-1001", body: "…", articleIds: [] }, {}, "allow"],
  ["a higher priority", "tickets.set_priority", { ticketId: "BIL-1001", priority: "high", reason: "…" }, {}, "allow"],
  ["urgent", "tickets.set_priority", { ticketId: "BIL-1001", priority: "urgent", reason: "…" }, {}, "ask support-lead"],
  ["handing over", "tickets.assign", { ticketId: "BIL-1018", queue: "technical", note: "…" }, {}, "allow"],
  ["taking from another queue", "tickets.assign", { ticketId: "ACC-3009", queue: "billing-tier1", note: "…" }, {}, "no-grant"],
  ["a mail to a customer", "send_email", mail("maria@fjordknit.example"), {}, "ask support-lead"],
  ["… that a support lead approved", "send_email", mail("maria@fjordknit.example"), { approvals: ["support-lead"] }, "allow"],
  ["… that finance approved", "send_email", mail("maria@fjordknit.example"), { approvals: ["finance"] }, "ask support-lead"],
  ["a mail to a stranger", "send_email", mail("ar@northw1nd-billing.example"), {}, "policy-stop guard.mail_to_known_domains"],
  [
    "… whoever approved it",
    "send_email",
    mail("ar@northw1nd-billing.example"),
    { approvals: ["support-lead", "finance"] },
    "policy-stop guard.mail_to_known_domains",
  ],
  ["a subdomain of a known domain", "send_email", mail("x@evil.fjordknit.example"), {}, "policy-stop guard.mail_to_known_domains"],
  ["a domain that ends like a known one", "send_email", mail("x@notfjordknit.example"), {}, "policy-stop guard.mail_to_known_domains"],
  ["a stranger and a customer", "send_email", mail("x@evil.example,maria@fjordknit.example"), {}, "policy-stop guard.one_recipient"],
  ["two customers", "send_email", mail("a@fjordknit.example;maria@fjordknit.example"), {}, "policy-stop guard.one_recipient"],
  ["a refund of 80", "refund.create", refund(8000), {}, "allow"],
  ["a refund of 100", "refund.create", refund(10000), {}, "allow"],
  ["a refund of 100.01", "refund.create", refund(10001), {}, "ask finance"],
  ["a refund of 480", "refund.create", refund(48000), {}, "ask finance"],
  ["… that finance approved", "refund.create", refund(48000), { approvals: ["finance"] }, "allow"],
  ["a refund of 500", "refund.create", refund(50000), {}, "ask finance"],
  ["a refund of 500.01, approved", "refund.create", refund(50001), { approvals: ["finance"] }, "policy-stop stop.refund_over_500"],
  ["a refund in euro", "refund.create", refund(4500, "EUR"), {}, "ask finance"],
])("%s", (_, tool, input, changes, words) => {
  expect(inWords(decide(tool, input, changes))).toBe(words);
});

test("the day's refunds end at 600, to the cent, and no approval helps", () => {
  const facts = decideFacts(55000);
  expect(inWords(decide("refund.create", refund(5000), { facts }))).toBe("allow");
  expect(inWords(decide("refund.create", refund(5001), { facts, approvals: ["finance"] }))).toBe("policy-stop stop.refunds_of_the_day");
});

test("in production nothing is changed on Fridays, and reading goes on", () => {
  const friday = { ...production, facts: { ...decideFacts(0), weekday: "fri" } };
  expect(inWords(decide("refund.create", refund(100), friday))).toBe("policy-stop freeze.no_prod_on_fridays");
  expect(inWords(decide("tickets.draft_reply", { ticketId: "BIL-1001", body: "…", articleIds: [] }, friday))).toBe(
    "policy-stop freeze.no_prod_on_fridays",
  );
  expect(inWords(decide("tickets.read", { ticketId: "BIL-1001" }, friday))).toBe("allow");
  expect(inWords(decide("refund.create", refund(100), { facts: { ...decideFacts(0), weekday: "fri" } }))).toBe("allow");
});

test("what is allowed comes with its duties", () => {
  const duties = (decision: Decision) =>
    decision.type === "deny" ? [] : decision.obligations.map((obligation) => `${obligation.type} ${obligation.policy}`).toSorted();
  expect(duties(decide("tickets.read", { ticketId: "BIL-1001" }))).toEqual([
    "cap cap.tickets_of_a_run",
    "redact guard.no_payment_details",
    "redact redact.contact_details",
  ]);
  expect(duties(decide("tickets.draft_reply", { ticketId: "BIL-1001", body: "…", articleIds: [] }))).toEqual([
    "require_citation cite.drafts",
  ]);
  expect(duties(decide("refund.create", refund(8000)))).toEqual([
    "cap cap.refunds_of_the_day",
    "cap cap.small_refunds_of_a_ticket",
    "notify notify.refunds",
  ]);
  expect(duties(decide("refund.create", refund(48000)))).toEqual(["cap cap.refunds_of_the_day", "notify notify.refunds"]);
});

test("the shadow policy says what it would have done, and does nothing", () => {
  const decision = decide("refund.create", refund(8000));
  expect(decision).toMatchObject({ type: "allow", shadow: [{ policy: "shadow.refund_over_40_usd", verdict: "require-approval" }] });
  expect(decide("refund.create", refund(4000)).shadow).toEqual([]);
});

test("[CTL-12] the cases beside the policies pass and notice every small change of them, and nothing is to be said against the policies", async () => {
  const parsed = parseFiles(await exampleFiles());
  if (parsed.type === "issues") throw new Error(JSON.stringify(parsed.issues));
  const workbench = createPolicyWorkbench();
  const report = await workbench.test(registry, parsed.policyTests);
  expect(report.cases.filter((one) => !one.ok)).toEqual([]);
  expect(report.passed).toBeGreaterThan(40);
  expect(report.mutation.survivors).toEqual([]);
  expect((await workbench.lint(registry)).filter((finding) => finding.severity !== "note")).toEqual([]);
});

function decideFacts(amountToday: number): PolicyRequest["facts"] {
  return {
    weekday: "tue",
    hour: 10,
    date: "2026-11-17",
    runActions: 1,
    runActionsLimit: 12,
    actionsThisMinute: 1,
    actionsToday: 1,
    amountToday,
  };
}
