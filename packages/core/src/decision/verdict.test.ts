import type { Decision, Obligation } from "@remit/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { policyVerdict } from "./verdict.ts";
import type { Evaluation, PolicyRule } from "./verdict.ts";

/** A policy of a small world: whether it applies to the one question there is; a gate stops applying when its team has approved. */
type Model = { rule: PolicyRule; applies: boolean; errs: boolean };

function decide(models: readonly Model[], approvals: readonly string[] = []): Decision {
  return policyVerdict({
    question: { agent: "triage", tool: "mail__send", resource: "billing" },
    rules: new Map(models.map(({ rule }) => [rule.id, rule])),
    approvals,
    evaluate: (given): Evaluation => ({
      satisfied: models.flatMap(({ rule, applies, errs }) =>
        applies && !errs && !(rule.kind === "gate" && given.includes(rule.team)) ? [rule.id] : [],
      ),
      errors: models.flatMap(({ rule, errs }) => (errs ? [{ policy: rule.id, message: "type error" }] : [])),
    }),
  });
}

const base = { reason: null, shadow: false };
const notify: Obligation = { type: "notify", policy: "duty", to: ["ada"] };
const grant = (id = "grant"): PolicyRule => ({ ...base, id, source: `${id}.cedar:1`, kind: "grant" });
const stop = (id = "stop"): PolicyRule => ({ ...base, id, source: `${id}.cedar:1`, kind: "stop" });
const gate = (team: string, id = `gate.${team}`): PolicyRule => ({
  ...base,
  id,
  source: `${id}.cedar:1`,
  kind: "gate",
  team,
  expiresAfter: null,
});
const duty = (obligation: Obligation | null = notify, id = "duty"): PolicyRule => ({
  ...base,
  id,
  source: `${id}.cedar:1`,
  kind: "obligation",
  type: "notify",
  obligation,
});
const shadow = (rule: PolicyRule): PolicyRule => ({ ...rule, id: `shadow.${rule.id}`, shadow: true });
const on = (rule: PolicyRule): Model => ({ rule, applies: true, errs: false });
const erring = (rule: PolicyRule): Model => ({ rule, applies: true, errs: true });

describe("verdict", () => {
  const table: [string, Model[], string[], Partial<Decision>][] = [
    ["nothing said", [], [], { type: "deny", code: "no-grant" }],
    ["a grant", [on(grant())], [], { type: "allow", policies: ["grant"], obligations: [] }],
    ["a stop over a grant", [on(grant()), on(stop())], [], { type: "deny", code: "policy-stop", policies: ["stop"] }],
    ["a gate over a grant", [on(grant()), on(gate("ada"))], [], { type: "require-approval", policies: ["gate.ada"] }],
    ["its approval in hand", [on(grant()), on(gate("ada"))], ["ada"], { type: "allow" }],
    ["an approval that cannot help: no grant", [on(gate("ada"))], [], { type: "deny", code: "no-grant" }],
    ["an approval that cannot help: a stop", [on(grant()), on(stop()), on(gate("ada"))], [], { type: "deny", policies: ["stop"] }],
    ["an obligation", [on(grant()), on(duty())], [], { type: "allow", obligations: [notify] }],
    ["an obligation grants nothing", [on(duty())], [], { type: "deny", code: "no-grant" }],
    ["one nobody can meet", [on(grant()), on(duty(null))], [], { type: "deny", code: "obligation-unsupported", policies: ["duty"] }],
    ["an erring grant beside a good one", [on(grant()), erring(grant("other"))], [], { type: "deny", code: "policy-error" }],
    ["an erring stop", [on(grant()), erring(stop())], [], { type: "deny", code: "policy-error", policies: ["stop"] }],
    ["an erring obligation", [on(grant()), erring(duty())], [], { type: "deny", code: "policy-error", policies: ["duty"] }],
    ["an erring shadow decides nothing", [on(grant()), erring(shadow(stop()))], [], { type: "allow" }],
  ];
  test.each(table)("[CTL-13][CTL-37] %s", (_what, models, approvals, expected) => {
    expect(decide(models, approvals)).toMatchObject(expected);
  });

  test("[CTL-26] several gates of one team ask once, for the shorter of their times", () => {
    const patient = { ...gate("ada", "g1"), expiresAfter: "PT4H" } as PolicyRule;
    const hasty = { ...gate("ada", "g2"), expiresAfter: "PT90M" } as PolicyRule;
    expect(decide([on(grant()), on(patient), on(hasty)])).toMatchObject({
      approvals: [{ team: "ada", gates: ["g1", "g2"], expiresAfter: "PT90M" }],
    });
  });

  test("[CTL-26] a team is not asked whom another's approval makes superfluous", () => {
    const rules = [grant(), gate("ada"), gate("ben")];
    const decision = policyVerdict({
      question: { agent: "triage", tool: "mail__send", resource: "billing" },
      rules: new Map(rules.map((rule) => [rule.id, rule])),
      approvals: [],
      // Ada's gate is also opened by ben.
      evaluate: (given) => ({
        satisfied: [
          "grant",
          ...(given.includes("ada") || given.includes("ben") ? [] : ["gate.ada"]),
          ...(given.includes("ben") ? [] : ["gate.ben"]),
        ],
        errors: [],
      }),
    });
    expect(decision).toMatchObject({ type: "require-approval", approvals: [{ team: "ben", gates: ["gate.ben"] }] });
  });

  test("[CTL-37] a gate that its own team's approval does not open is a stop, and nobody is asked", () => {
    const rules = [grant(), gate("ada")];
    const decision = policyVerdict({
      question: { agent: "triage", tool: "mail__send", resource: "billing" },
      rules: new Map(rules.map((rule) => [rule.id, rule])),
      approvals: [],
      evaluate: () => ({ satisfied: ["grant", "gate.ada"], errors: [] }),
    });
    expect(decision).toMatchObject({ type: "deny", code: "policy-stop", policies: ["gate.ada"] });
  });

  test("[CTL-37] an answer about a policy that nobody knows is a denial", () => {
    const decision = policyVerdict({
      question: { agent: "triage", tool: "mail__send", resource: "billing" },
      rules: new Map(),
      approvals: [],
      evaluate: () => ({ satisfied: ["grant"], errors: [] }),
    });
    expect(decision).toMatchObject({ type: "deny", code: "policy-error", policies: ["grant"] });
  });

  test("[CTL-12] a shadow policy is reported by the verdict that it would have made", () => {
    expect(decide([on(grant()), on(shadow(stop()))])).toMatchObject({
      type: "allow",
      shadow: [{ policy: "shadow.stop", verdict: "deny" }],
    });
    expect(decide([on(grant()), on(shadow(gate("ada")))]).shadow).toEqual([{ policy: "shadow.gate.ada", verdict: "require-approval" }]);
    expect(decide([on(shadow(grant()))])).toMatchObject({ type: "deny", shadow: [{ policy: "shadow.grant", verdict: "allow" }] });
    expect(decide([on(grant()), on(stop()), on(shadow(stop()))]).shadow).toEqual([]);
    expect(decide([on(grant()), { rule: shadow(stop()), applies: false, errs: false }]).shadow).toEqual([]);
  });
});

describe("laws", () => {
  const teams = ["ada", "ben", "cleo"];
  const rank = { deny: 0, "require-approval": 1, allow: 2 };
  const kinds = fc.oneof(
    fc.constant(grant()),
    fc.constant(stop()),
    fc.constantFrom(...teams).map((team) => gate(team)),
    fc.constantFrom(notify, null).map((obligation) => duty(obligation)),
  );
  const model: fc.Arbitrary<Model> = fc.record({
    rule: fc.tuple(kinds, fc.boolean()).map(([rule, isShadow]) => ({ ...rule, shadow: isShadow })),
    applies: fc.boolean(),
    errs: fc.boolean().map((errs) => errs),
  });
  const models = fc
    .array(model, { maxLength: 8 })
    .map((all) => all.map((one, index) => ({ ...one, errs: one.errs && index % 3 === 0, rule: { ...one.rule, id: `p${index}` } })));
  const approvals = fc.subarray(teams);

  test("[CTL-37] what no policy grants is denied", () => {
    fc.assert(
      fc.property(models, approvals, (all, given) => {
        const granted = all.some(({ rule, applies }) => rule.kind === "grant" && !rule.shadow && applies);
        return granted || decide(all, given).type === "deny";
      }),
    );
  });

  test("[CTL-37] whatever cannot be evaluated denies", () => {
    fc.assert(
      fc.property(models, approvals, model, (all, given, extra) => {
        const broken: Model = { ...extra, errs: true, rule: { ...extra.rule, id: "broken", shadow: false } };
        const decision = decide([...all, broken], given);
        return decision.type === "deny" && decision.code === "policy-error";
      }),
    );
  });

  test("[CTL-15] one more gate or stop never gains a permission", () => {
    fc.assert(
      fc.property(models, approvals, fc.constantFrom(stop("more"), ...teams.map((team) => gate(team, "more"))), (all, given, more) => {
        const before = decide(all, given);
        const after = decide([...all, on(more)], given);
        return rank[after.type] <= rank[before.type];
      }),
    );
  });

  test("[CTL-15] one more approval never loses a permission", () => {
    fc.assert(
      fc.property(models, approvals, fc.constantFrom(...teams), (all, given, more) => {
        return rank[decide(all, [...given, more]).type] >= rank[decide(all, given).type];
      }),
    );
  });

  test("[CTL-26] exactly the approvals that are asked for are what it takes", () => {
    fc.assert(
      fc.property(models, approvals, (all, given) => {
        const decision = decide(all, given);
        if (decision.type !== "require-approval") return true;
        const asked = decision.approvals.map(({ team }) => team);
        const enough = decide(all, [...given, ...asked]).type === "allow";
        const noneSpare = asked.every((team) => decide(all, [...given, ...asked.filter((other) => other !== team)]).type !== "allow");
        return enough && noneSpare;
      }),
    );
  });

  test("[CTL-15] shadow policies decide nothing", () => {
    fc.assert(
      fc.property(models, approvals, (all, given) => {
        const { shadow: _with, ...decision } = decide(all, given);
        const { shadow: _without, ...plain } = decide(
          all.filter(({ rule }) => !rule.shadow),
          given,
        );
        expect(decision).toEqual(plain);
      }),
    );
  });
});
