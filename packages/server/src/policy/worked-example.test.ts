import type { Decision } from "@remit/contract";
import type { PolicyRequest } from "@remit/core";
import { beforeAll, describe, expect, test } from "vitest";
import { createCedarEngine } from "./cedar-engine.ts";
import { ask, quietFacts, supportRegistry } from "./support.testing.ts";

const registry = supportRegistry();
const engine = createCedarEngine();
beforeAll(() => engine.prepare(registry));

const usd = (amountCents: number) => ({ amountCents, currency: "USD" });
const friday: Partial<PolicyRequest> = { environment: "production", facts: { ...quietFacts, weekday: "fri" } };
const developer: Partial<PolicyRequest> = { agent: "dev-agent", roles: ["developer"], queue: null };
const mail = { to: "customer@example.com", subject: "Your refund", body: "It is on its way." };

/** What was asked, and what must be said: the verdict with its obligations, the teams asked, or the code. */
const cases: [string, PolicyRequest, string][] = [
  ["a ticket of its queue is read, redacted", ask("helpdesk__tickets.read", { id: "1" }), "allow redact"],
  ["a ticket of another queue", ask("helpdesk__tickets.read", { id: "1" }, { queue: "legal" }), "deny no-grant"],
  ["a draft must cite", ask("helpdesk__tickets.draft_reply", { id: "1", body: "Hello" }), "allow require_citation"],
  ["mail waits for the support lead", ask("helpdesk__email.send", mail), "ask support-lead"],
  ["mail that the support lead approved", ask("helpdesk__email.send", mail, { approvals: ["support-lead"] }), "allow"],
  ["mail that the wrong team approved", ask("helpdesk__email.send", mail, { approvals: ["finance"] }), "ask support-lead"],
  ["a refund of 80 USD", ask("helpdesk__refund.create", usd(8_000)), "allow"],
  ["a refund of 150 USD", ask("helpdesk__refund.create", usd(15_000)), "ask finance"],
  ["a refund of 150 USD that finance approved", ask("helpdesk__refund.create", usd(15_000), { approvals: ["finance"] }), "allow"],
  [
    "a refund over the daily cap, approved or not",
    ask("helpdesk__refund.create", usd(15_000), { approvals: ["finance"], facts: { ...quietFacts, amountToday: 40_000 } }),
    "deny policy-stop",
  ],
  ["a refund of 80 EUR", ask("helpdesk__refund.create", { amountCents: 8_000, currency: "EUR" }), "ask finance"],
  ["mail in production on a Friday", ask("helpdesk__email.send", mail, friday), "deny policy-stop"],
  ["the same, approved", ask("helpdesk__email.send", mail, { ...friday, approvals: ["support-lead"] }), "deny policy-stop"],
  ["a diff of 120 lines", ask("code__propose_diff", { diffLines: 120 }, developer), "allow"],
  ["a diff of 900 lines", ask("code__propose_diff", { diffLines: 900 }, developer), "ask codeowner"],
  ["the support agent's diff of 900 lines", ask("code__propose_diff", { diffLines: 900 }), "deny no-grant"],
  ["an amount as text", ask("helpdesk__refund.create", { amountCents: "15000", currency: "USD" }), "deny policy-error"],
  ["reading in production on a Friday", ask("helpdesk__tickets.read", { id: "1" }, friday), "allow redact"],
  // The boundaries, which a suite that only tests the middle leaves open to every off-by-one.
  ["a refund of exactly 100 USD", ask("helpdesk__refund.create", usd(10_000)), "allow"],
  ["a refund of one cent more", ask("helpdesk__refund.create", usd(10_001)), "ask finance"],
  ["a diff of exactly 400 lines", ask("code__propose_diff", { diffLines: 400 }, developer), "allow"],
  ["a diff of one line more", ask("code__propose_diff", { diffLines: 401 }, developer), "ask codeowner"],
  [
    "the last cent under the daily cap",
    ask("helpdesk__refund.create", usd(10_000), { facts: { ...quietFacts, amountToday: 40_000 } }),
    "allow",
  ],
  [
    "the first cent over the daily cap",
    ask("helpdesk__refund.create", usd(10_000), { facts: { ...quietFacts, amountToday: 40_001 } }),
    "deny policy-stop",
  ],
  ["mail in production on a Thursday", ask("helpdesk__email.send", mail, { environment: "production" }), "ask support-lead"],
];

describe("the worked example", () => {
  test.each(cases)("[CTL-36][CTL-41][CTL-12][CTL-13][CTL-16][CTL-26][RUN-06] %s", (_what, request, expected) => {
    expect(words(engine.decide(registry, "support", request))).toBe(expected);
  });

  test("[CTL-26] says who is asked, by which gate, for how long", () => {
    expect(engine.decide(registry, "support", ask("helpdesk__email.send", mail))).toEqual({
      type: "require-approval",
      policies: ["gate.email_needs_support_lead"],
      approvals: [{ team: "support-lead", gates: ["gate.email_needs_support_lead"], expiresAfter: "PT4H" }],
      obligations: [],
      shadow: [],
    });
  });

  test("[CTL-16] a stop gives its author's reason and its place", () => {
    expect(engine.decide(registry, "support", ask("helpdesk__email.send", mail, friday))).toEqual({
      type: "deny",
      code: "policy-stop",
      reason:
        "Nothing is changed in production on Fridays; try again on Monday. (policy freeze.no_prod_on_fridays, policies/house/stops.cedar:1)",
      policies: ["freeze.no_prod_on_fridays"],
      shadow: [],
    });
  });
});

function words(decision: Decision): string {
  switch (decision.type) {
    case "allow":
      return ["allow", ...decision.obligations.map((obligation) => obligation.type)].join(" ");
    case "require-approval":
      return ["ask", ...decision.approvals.map((approval) => approval.team)].join(" ");
    case "deny":
      return `deny ${decision.code}`;
  }
}
