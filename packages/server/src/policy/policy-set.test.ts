import type { AuthorizationCall, Context } from "@cedar-policy/cedar-wasm/nodejs";
import type { PolicyRequest } from "@remit/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCedarEngine } from "./cedar-engine.ts";
import { createCedarEvaluator } from "./cedar-evaluator.ts";
import { evaluateDirectly } from "./direct-evaluation.ts";
import type { Cedar } from "./compile.ts";
import type { PolicyDifference } from "./policy-set.ts";
import { createPolicySet } from "./policy-set.ts";
import { prepareRegistry } from "./prepared-registry.ts";
import { loadCedar } from "./cedar-module.ts";
import { wholeSchema } from "./cedar-schema.ts";
import { splitPolicies } from "./cedar-text.ts";
import { projectValue } from "./projection.ts";
import { randomRequest, randomSets } from "./random-policies.testing.ts";
import { ask, onePolicy, quietFacts, supportRegistry } from "./support.testing.ts";
import { contextType, vocabularyOf } from "./vocabulary.ts";

const requests = (sets: number, count: number) =>
  fc.array(fc.tuple(fc.integer({ min: 0, max: sets - 1 }), randomRequest), { minLength: count, maxLength: count });

let prepared = 0;

const likes: [string, string][] = [
  ["hello", "hello"],
  ["hello", "hello*"],
  ["hell", "hello*"],
  ["hello", "*llo"],
  ["hello", "*l*l*"],
  ["helo", "*l*l*"],
  ["aba", "ab*ba"],
  ["abba", "ab*ba"],
  ["", "*"],
  ["", ""],
  ["a", ""],
  ["a*b", "a\\*b"],
  ["axb", "a\\*b"],
  ["Straße 🚲!", "*🚲*"],
  ["Straße 🚲!", "Stra*e ?*"],
];

describe("random policies", () => {
  test("[CTL-15][CTL-37] a slice decides what Cedar decides over the whole set, and denies where Cedar would skip an error", async () => {
    const cedar = loadCedar();
    const engine = createCedarEngine();
    const seen = { allow: 0, deny: 0, ask: 0, error: 0 };
    await untilSeen(seen, () =>
      fc.assert(
        fc.asyncProperty(randomSets(40), requests(40, 800), async (sources, asked) => {
          const registry = supportRegistry({ sets: sources, guard: null });
          await engine.prepare(registry);
          const vocabulary = vocabularyOf(registry);
          const schema = wholeSchema(vocabulary);
          for (const [number, request] of asked) {
            const name = `set${number}`;
            const decision = engine.decide(registry, name, request);
            const text = sources[name]?.[0]?.text ?? "";
            const whole = (only: (policy: string) => boolean, approvals: readonly string[]) => {
              const answer = cedar.isAuthorized({
                ...wholeQuestion(request, approvals, vocabulary),
                policies: {
                  staticPolicies: Object.fromEntries(
                    policiesOf(text)
                      .filter((policy) => only(policy))
                      .map((policy, id) => [`${id}`, policy]),
                  ),
                },
                schema,
                validateRequest: true,
              });
              if (answer.type === "failure") throw new Error(JSON.stringify(answer));
              return { allowed: answer.response.decision === "allow", errs: answer.response.diagnostics.errors.length > 0 };
            };
            const access = whole((policy) => !/@obligation|@mode/.test(policy), request.approvals);
            const duties = whole((policy) => policy.includes("@obligation"), request.approvals);
            const expected = access.allowed && !access.errs && !duties.errs;
            expect({ request, text, allowed: decision.type === "allow" }).toEqual({ request, text, allowed: expected });
            if (decision.type === "require-approval") {
              seen.ask += 1;
              const more = [...request.approvals, ...decision.approvals.map((approval) => approval.team)];
              expect(whole((policy) => !/@obligation|@mode/.test(policy), more)).toEqual({ allowed: true, errs: false });
            } else seen[decision.type] += 1;
            if (access.errs) seen.error += 1;
          }
        }),
        { numRuns: 1, endOnFailure: true },
      ),
    );
  });

  test("[CTL-37] what is answered without Cedar is what Cedar answers, and never anything that errs", async () => {
    const evaluator = createCedarEvaluator({ load: loadCedar, slots: 512 });
    const seen = { direct: 0, cedar: 0, error: 0 };
    await untilSeen(seen, () =>
      fc.assert(
        fc.asyncProperty(randomSets(40), requests(40, 2_000), async (sources, asked) => {
          const { vocabulary, sets } = await prepareRegistry(supportRegistry({ sets: sources, guard: null }), evaluator);
          const always = [...sets.values()].map(({ compiled }) =>
            createPolicySet({
              compiled,
              vocabulary,
              digest: `${(prepared += 1)}`,
              evaluator,
              checkEvery: 1,
              onDifference: (difference) => expect(difference).toBeNull(),
            }),
          );
          for (const [number, request] of asked) {
            const set = always.find(({ compiled }) => compiled.name === `set${number}`);
            const slice = set?.slice(request) ?? null;
            const answer = set?.evaluate(request) ?? null;
            if (slice === null || answer === null) continue;
            const { context } = wholeQuestion(request, request.approvals, vocabulary);
            const direct = evaluateDirectly(slice.policies, slice.known, context);
            seen[direct === null ? "cedar" : "direct"] += 1;
            if (answer.errors.length > 0) seen.error += 1;
            const expected = { satisfied: [...answer.satisfied].sort(), errors: answer.errors };
            if (direct !== null) expect({ request, text: sources[`set${number}`], direct }).toMatchObject({ direct: expected });
          }
        }),
        { numRuns: 1, endOnFailure: true },
      ),
    );
    // Most of what policies ask is plain; were it not, this would cost for nothing.
    expect(seen.direct).toBeGreaterThan(seen.cedar);
  });

  test("[CTL-37] where Cedar and what is evaluated without it differ, the call is denied, it is told once, and Cedar alone decides from then on", async () => {
    const told: PolicyDifference[] = [];
    let questions = 0;
    // Cedar as it is, but that the permit never applies: so what permits is what was evaluated without it.
    const load = (): Cedar => {
      const cedar = loadCedar();
      return {
        ...cedar,
        statefulIsAuthorized(call) {
          questions += 1;
          const answer = cedar.statefulIsAuthorized(call);
          if (answer.type === "success") answer.response.diagnostics.reason = [];
          return answer;
        },
      };
    };
    const engine = createCedarEngine({ load, onDifference: (difference) => told.push(difference) });
    const registry = supportRegistry(
      onePolicy(
        '@id("p") permit (principal, action == Remit::Action::"helpdesk__email.send", resource) when { context.input.to like "a*" };',
      ),
    );
    await engine.prepare(registry);
    const decisions = ["a1", "a2", "a3"].map((to) => engine.decide(registry, "support", ask("helpdesk__email.send", { to })));
    expect(decisions.map((decision) => (decision.type === "deny" ? decision.code : decision.type))).toEqual([
      "policy-error",
      "no-grant",
      "no-grant",
    ]);
    expect(told).toEqual([
      {
        policySet: "support",
        tool: "helpdesk__email.send",
        direct: { satisfied: ["p"], errors: [] },
        cedar: { satisfied: [], errors: [] },
      },
    ]);
    expect(questions).toBe(3);
  });

  test.each(likes)("[CTL-37] %j like %j", async (text, pattern) => {
    const registry = supportRegistry(
      onePolicy(`@id("p") permit (principal, action, resource) when { context.input.to like "${pattern}" };`),
    );
    const { vocabulary, sets } = await prepareRegistry(registry, createCedarEvaluator({ load: loadCedar, slots: 4 }));
    const request = ask("helpdesk__email.send", { to: text });
    const slice = sets.get("support")?.slice(request);
    const { context } = wholeQuestion(request, [], vocabulary);
    const direct = slice && evaluateDirectly(slice.policies, slice.known, context);
    expect(direct).toEqual(sets.get("support")?.evaluate(request));
  });

  test("[CTL-15][CTL-25] a tool that is not listed is never callable, and no call that policy permits is hidden", async () => {
    const engine = createCedarEngine();
    const seen = { listed: 0, hidden: 0, permitted: 0 };
    await untilSeen(seen, () =>
      fc.assert(
        fc.asyncProperty(randomSets(200), requests(200, 8_000), async (sources, asked) => {
          const registry = supportRegistry({ sets: sources, guard: null });
          await engine.prepare(registry);
          for (const [number, request] of asked) {
            const name = `set${number}`;
            const listed = engine.couldAllow(registry, name, { ...request, input: null, approvals: [], facts: quietFacts });
            const decision = engine.decide(registry, name, request);
            seen[listed ? "listed" : "hidden"] += 1;
            if (decision.type !== "deny") seen.permitted += 1;
            // The engine denies what it does not list, whatever policy says. That must never have been needed.
            expect(decision.type === "deny" && decision.reason.includes("is not listed")).toBe(false);
            expect(listed || decision.type === "deny").toBe(true);
          }
        }),
        { numRuns: 1, endOnFailure: true },
      ),
    );
  });
});

/** Samples again until each kind of answer has been seen: a sample in which something never happens proves nothing about it. */
async function untilSeen(seen: Record<string, number>, sample: () => Promise<void>): Promise<void> {
  const lacking = (): string[] => Object.keys(seen).filter((kind) => (seen[kind] ?? 0) <= 2);
  for (let round = 0; round < 10 && (round === 0 || lacking().length > 0); round += 1) await sample();
  expect(lacking()).toEqual([]);
}

describe("listing", () => {
  const grant = (condition = "") => `@id("grant") permit (principal in Remit::Role::"support-tier1", action, resource)${condition};\n`;
  const listed: [string, string, boolean][] = [
    ["a grant", grant(), true],
    ["a grant of another role", grant().replace("support-tier1", "developer"), false],
    ["a grant under arguments", grant(" when { context.input has amountCents && context.input.amountCents < 3 }"), true],
    ["a grant on some day", grant(' when { context.facts.weekday == "mon" }'), true],
    ["a grant in another environment", grant(' when { context.run.environment == "production" }'), false],
    [
      "a grant in another environment, last of two conditions",
      grant(' when { context.facts.hour > 3 && context.run.environment == "production" }'),
      false,
    ],
    ["a grant unless in this environment", grant(' unless { context.run.environment == "staging" }'), false],
    ["a grant in either of two", grant(' when { context.facts.hour > 3 || context.run.environment == "production" }'), true],
    ["a grant in one of a list", grant(' when { ["dev", "production"].contains(context.run.environmentType) }'), false],
    ["a grant without a queue", grant(" unless { context.run has queue }"), false],
    ["a grant by if", grant(' when { if resource in Remit::Queue::"legal" then true else false }'), false],
    ["a stop always", `${grant()}@id("stop") forbid (principal, action in Remit::Action::"act", resource);`, false],
    [
      "a stop on the environment itself, not on its queues",
      `${grant()}@id("stop") forbid (principal, action, resource == Remit::Environment::"staging");`,
      true,
    ],
    ["a stop on another queue", `${grant()}@id("stop") forbid (principal, action, resource in Remit::Queue::"legal");`, true],
    [
      "a stop in this environment",
      `${grant()}@id("stop") forbid (principal, action, resource) when { context.run.environmentType == "staging" };`,
      false,
    ],
    [
      "a stop whatever the hour",
      `${grant()}@id("stop") forbid (principal, action, resource) when { context.facts.hour > 3 || true };`,
      false,
    ],
    ["a stop under arguments", `${grant()}@id("stop") forbid (principal, action, resource) when { context.facts.hour > 3 };`, true],
    [
      "a gate",
      `${grant()}@id("g") @approval("finance") forbid (principal, action, resource) unless { context.approvals.contains(Remit::Team::"finance") };`,
      true,
    ],
    [
      "a gate and no grant",
      '@id("g") @approval("finance") forbid (principal, action, resource) unless { context.approvals.contains(Remit::Team::"finance") };',
      false,
    ],
    [
      "an obligation and no grant",
      '@id("d") @obligation("notify") @params("{\\"to\\":[\\"ada\\"]}") permit (principal, action, resource);',
      false,
    ],
    ["an obligation that nobody can meet", `${grant()}@id("d") @obligation("watermark") permit (principal, action, resource);`, false],
    ["a shadow grant", `@mode("shadow") ${grant()}`, false],
    ["a shadow stop", `${grant()}@mode("shadow") @id("stop") forbid (principal, action, resource);`, true],
  ];
  test.each(listed)("[CTL-04][CTL-25] %s", async (_what, text, expected) => {
    const engine = createCedarEngine();
    const registry = supportRegistry(onePolicy(text));
    await engine.prepare(registry);
    expect(engine.couldAllow(registry, "support", ask("helpdesk__refund.create", null))).toBe(expected);
    if (!expected)
      expect(engine.decide(registry, "support", ask("helpdesk__refund.create", { amountCents: 1, currency: "USD" })).type).toBe("deny");
  });
});

function policiesOf(text: string): string[] {
  return splitPolicies("a.cedar", text).statements.map((statement) => statement.text);
}

/** The question with everything in it: the whole context, every entity there is. */
function wholeQuestion(
  request: PolicyRequest,
  approvals: readonly string[],
  vocabulary: ReturnType<typeof vocabularyOf>,
): Omit<AuthorizationCall, "policies"> {
  const words = vocabulary.tools.get(request.tool);
  if (words === undefined) throw new Error("an unknown tool");
  const { tool: name, upstream, effect, sensitivity, reversibility, environment, environmentType, workflow, queue } = request;
  const context = {
    input: request.input,
    facts: request.facts,
    approvals,
    run: { environment, environmentType, workflow, queue },
    tool: { name, upstream, effect, sensitivity, reversibility },
  };
  const types = [...vocabulary.environments].map((id) => ({
    uid: { type: "Remit::Environment", id },
    attrs: {},
    parents: [{ type: "Remit::EnvironmentType", id }],
  }));
  return {
    principal: { type: "Remit::Agent", id: request.agent },
    action: { type: "Remit::Action", id: request.tool },
    resource: queue === null ? { type: "Remit::Environment", id: environment } : { type: "Remit::Queue", id: queue },
    context: projectValue(contextType(words), context, null) as Context,
    entities: [
      ...[...vocabulary.agents].map(([id, roles]) => ({
        uid: { type: "Remit::Agent", id },
        attrs: {},
        parents: roles.map((role) => ({ type: "Remit::Role", id: role })),
      })),
      ...types,
      ...vocabulary.queues.map((id) => ({
        uid: { type: "Remit::Queue", id },
        attrs: {},
        parents: [{ type: "Remit::Environment", id: environment }],
      })),
    ],
  };
}
