import type { PolicyRequest, PolicySource } from "@remit/core";
import fc from "fast-check";
import { ask, quietFacts } from "./support.testing.ts";

/** Conditions of every shape over the worked example's words, those that err included. */
const condition: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom("true", "false", "false"),
      fc.tuple(fc.constantFrom("<", "<=", "==", "!=", ">", ">="), fc.integer({ min: 0, max: 3 })).chain(([operator, number]) =>
        fc.constantFrom(
          `context.facts.hour ${operator} ${number}`,
          `(context.input has amountCents && context.input.amountCents ${operator} ${number})`,
          `(context.input has diffLines && context.input.diffLines + 1 ${operator} ${number})`,
          // Beyond 64 bits from 1024 on, which is an error and not a number.
          `context.facts.actionsToday * 9007199254740991 ${operator} ${number}`,
        ),
      ),
      fc.constantFrom(
        'context.input has "weird-key!"',
        '(context.input has "weird-key!" && context.input["weird-key!"] like "a*")',
        '(context.input has currency && context.input.currency == "USD")',
        'context.facts.weekday == "fri"',
        '["fri", "sat"].contains(context.facts.weekday)',
        'context.run.environmentType == "production"',
        'context.run.environment != "staging"',
        "context.run has queue",
        '(context.run has queue && context.run.queue == "legal")',
        'context.tool.effect == "write"',
        'context.tool.name == "helpdesk__email.send"',
        'principal in Remit::Role::"support-tier1"',
        'principal == Remit::Agent::"dev-agent"',
        'principal is Remit::Agent in Remit::Role::"developer"',
        'resource in Remit::Queue::"billing-tier1"',
        'resource in [Remit::Environment::"dev", Remit::Environment::"staging"]',
        "resource is Remit::Queue",
        'action in Remit::Action::"act"',
        'action in [Remit::Action::"read", Remit::Action::"code__*"]',
      ),
    ),
    fc.tuple(tie("node"), tie("node")).map(([left, right]) => `(${left} && ${right})`),
    fc.tuple(tie("node"), tie("node")).map(([left, right]) => `(${left} || ${right})`),
    tie("node").map((inner) => `!${inner.startsWith("(") ? inner : `(${inner})`}`),
    fc.tuple(tie("node"), tie("node"), tie("node")).map(([test, yes, no]) => `(if ${test} then ${yes} else ${no})`),
  ),
})).node;

const head = fc
  .tuple(
    fc.constantFrom(
      "principal",
      "principal",
      'principal in Remit::Role::"support-tier1"',
      'principal == Remit::Agent::"dev-agent"',
      'principal is Remit::Agent in Remit::Role::"developer"',
    ),
    fc.constantFrom(
      "action",
      "action",
      'action in Remit::Action::"act"',
      'action in Remit::Action::"helpdesk__*"',
      'action == Remit::Action::"helpdesk__refund.create"',
      'action in [Remit::Action::"read", Remit::Action::"code__propose_diff"]',
    ),
    fc.constantFrom(
      "resource",
      "resource",
      'resource in Remit::Queue::"billing-tier1"',
      'resource in Remit::EnvironmentType::"production"',
      'resource == Remit::Environment::"staging"',
      "resource is Remit::Queue",
    ),
  )
  .map((parts) => `(${parts.join(", ")})`);

const kind = fc.constantFrom("permit", "permit", "permit", "permit", "permit", "stop", "rare stop", "gate", "gate", "obligation", "shadow");
const team = fc.constantFrom("finance", "codeowner");

const policy = fc.tuple(kind, head, fc.option(condition), fc.option(condition), team).map(([kind, head, when, unless, team]) => {
  const clauses = `${when === null ? "" : ` when { ${when} }`}${unless === null ? "" : ` unless { ${unless} }`}`;
  const asked = `unless { context.approvals.contains(Remit::Team::"${team}") }`;
  switch (kind) {
    case "permit":
      return `permit ${head}${clauses};`;
    case "stop":
      return `forbid ${head}${clauses};`;
    case "rare stop":
      return `forbid ${head} when { context.facts.hour < 1 }${clauses};`;
    case "gate":
      return `@approval("${team}") forbid ${head} when { context.facts.hour > 0 }${clauses} ${asked};`;
    case "obligation":
      return `@obligation("notify") @params("{\\"to\\":[\\"ada\\"]}") permit ${head}${clauses};`;
    default:
      return `@mode("shadow") forbid ${head}${clauses};`;
  }
});

/** Random sets of policies, each one file. */
export function randomSets(sets: number): fc.Arbitrary<Record<string, PolicySource[]>> {
  return fc
    .array(fc.array(policy, { minLength: 1, maxLength: 12 }), { minLength: sets, maxLength: sets })
    .map((all) =>
      Object.fromEntries(
        all.map((policies, set) => [
          `set${set}`,
          [{ file: `policies/set${set}/a.cedar`, text: policies.map((text, index) => `@id("p${index}") ${text}`).join("\n") }],
        ]),
      ),
    );
}

const tools = ["helpdesk__tickets.read", "helpdesk__email.send", "helpdesk__refund.create", "code__propose_diff"];

export const randomRequest: fc.Arbitrary<PolicyRequest> = fc
  .record({
    tool: fc.constantFrom(...tools),
    developer: fc.boolean(),
    queue: fc.constantFrom("billing-tier1", "legal", null),
    environment: fc.constantFrom("dev", "staging", "production"),
    input: fc.record(
      { amountCents: fc.integer({ min: 0, max: 4 }), currency: fc.constantFrom("USD", "EUR"), "weird-key!": fc.constantFrom("abc", "b") },
      { requiredKeys: ["amountCents", "currency"] },
    ),
    diffLines: fc.integer({ min: 0, max: 4 }),
    weekday: fc.constantFrom("mon", "fri"),
    hour: fc.integer({ min: 0, max: 4 }),
    actionsToday: fc.constantFrom(0, 1_100),
    approvals: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.subarray(["finance", "codeowner", "support-lead"]) },
    ),
  })
  .map(({ tool, developer, queue, environment, input, diffLines, weekday, hour, actionsToday, approvals }) =>
    ask(
      tool,
      { ...input, diffLines, id: "1", to: "a" },
      {
        agent: developer ? "dev-agent" : "support-agent",
        roles: developer ? ["developer"] : ["support-tier1"],
        queue,
        environment,
        facts: { ...quietFacts, weekday, hour, actionsToday },
        approvals,
      },
    ),
  );
