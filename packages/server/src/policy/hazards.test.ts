import { RemitError } from "@remit/contract";
import type { Decision, JsonObject } from "@remit/contract";
import type { PolicyRequest, Registry } from "@remit/core";
import { describe, expect, test } from "vitest";
import { createCedarEngine } from "./cedar-engine.ts";
import { loadCedar } from "./cedar-module.ts";
import { ask, fixture, onePolicy, pinnedTool, quietFacts, supportRegistry } from "./support.testing.ts";

const grant = '@id("grant") permit (principal in Remit::Role::"support-tier1", action, resource);\n';
const engine = createCedarEngine();

async function decide(text: string, request: PolicyRequest): Promise<Decision> {
  const registry = supportRegistry(onePolicy(text));
  await engine.prepare(registry);
  return engine.decide(registry, "support", request);
}

async function refusal(registry: Registry): Promise<RemitError> {
  const thrown: unknown = await engine.prepare(registry).then(
    () => null,
    (error: unknown) => error,
  );
  if (!RemitError.is(thrown)) throw new Error("it was not refused");
  expect(thrown.code).toBe("invalid-configuration");
  return thrown;
}

const refund = (input: JsonObject) => ask("helpdesk__refund.create", input);

describe("what makes Cedar alone fail open", () => {
  test("[CTL-37] a forbid that errs denies; Cedar would skip it and allow", async () => {
    const overflow = `${grant}@id("stop") forbid (principal, action == Remit::Action::"helpdesk__refund.create", resource)
      when { context.input.amountCents * 9007199254740991 > 3 };`;
    expect(await decide(overflow, refund({ amountCents: 9_007_199_254_740_991, currency: "USD" }))).toMatchObject({
      type: "deny",
      code: "policy-error",
      policies: ["stop"],
    });
    expect(await decide(overflow, ask("helpdesk__tickets.read", { id: "1" }))).toMatchObject({ type: "allow" });
  });

  const escapes: [string, JsonObject][] = [
    ["an unknown", { __extn: { fn: "unknown", arg: "x" } }],
    ["a decimal", { __extn: { fn: "decimal", arg: "1.0" } }],
    ["an entity", { __entity: { type: "Remit::Team", id: "finance" } }],
    ["an expression", { __expr: "1" }],
  ];
  const capped = `${grant}@id("stop") forbid (principal, action == Remit::Action::"helpdesk__refund.create", resource)
    when { context.input.amountCents > 100 || context.input.currency != "USD" };`;
  test.each(escapes)("[CTL-37] an argument shaped like Cedar's escape for %s is denied", async (_what, escape) => {
    for (const input of [
      { amountCents: escape, currency: "USD" },
      { amountCents: 1, currency: escape },
    ])
      expect(await decide(capped, refund(input))).toMatchObject({ type: "deny", code: "policy-error" });
    expect(await decide(capped, refund({ amountCents: 1, currency: "USD", ...escape }))).toMatchObject({ type: "allow" });
    expect(await decide(capped, refund(escape))).toMatchObject({ type: "deny", code: "policy-error" });
  });

  const unreadable: [string, unknown, string][] = [
    [
      "a fraction",
      1.5,
      "Denied because policy cannot read the call: context.input.amountCents must be an integer within ±(2^53 - 1) and is the fraction 1.5.",
    ],
    [
      "null",
      null,
      "Denied because policy cannot read the call: context.input.amountCents must be an integer within ±(2^53 - 1) and is null.",
    ],
    [
      "a number as text",
      "1",
      'Denied because policy cannot read the call: context.input.amountCents must be an integer within ±(2^53 - 1) and is the text "1".',
    ],
    [
      "a BigInt",
      1n,
      "Denied because policy cannot read the call: context.input.amountCents must be an integer within ±(2^53 - 1) and is a bigint.",
    ],
    [
      "2^53",
      2 ** 53,
      "Denied because policy cannot read the call: context.input.amountCents must be an integer within ±(2^53 - 1) and is 9007199254740992, beyond what is exact.",
    ],
    [
      "not a number",
      Number.NaN,
      "Denied because policy cannot read the call: context.input.amountCents must be an integer within ±(2^53 - 1) and is the fraction NaN.",
    ],
    ["nothing", undefined, "Denied because policy cannot read the call: context.input.amountCents is missing."],
  ];
  test.each(unreadable)("[CTL-37] %s where policy needs an integer is denied with words", async (_what, amountCents, reason) => {
    const request = refund({ amountCents, currency: "USD" } as unknown as JsonObject);
    expect(await decide(capped, request)).toMatchObject({ type: "deny", code: "policy-error", reason });
  });

  test("[CTL-12] a fraction that no policy reads hinders nothing", async () => {
    expect(await decide(capped, refund({ amountCents: 1, currency: "USD", weight: 1.5, "weird-key!": "x" }))).toMatchObject({
      type: "allow",
    });
  });

  test("[CTL-12] a policy that reads a fraction is refused before it comes into force, with the reason", async () => {
    const reads = `${grant}@id("stop") forbid (principal, action == Remit::Action::"helpdesk__refund.create", resource) when { context.input.weight > 3 };`;
    const { issues } = await refusal(supportRegistry(onePolicy(reads)));
    expect(issues[0]?.message).toContain("attribute `input.weight`");
    expect(issues[0]?.message).toContain(
      'weight of helpdesk__refund.create cannot be read by policies: it is a "number", which may be a fraction; policies read integers only',
    );
  });

  test("[CTL-12] a name that is no identifier is read in brackets", async () => {
    const text = `${grant}@id("stop") forbid (principal, action == Remit::Action::"helpdesk__refund.create", resource)
      when { context.input has "weird-key!" && context.input["weird-key!"] == "no" };`;
    expect(await decide(text, refund({ amountCents: 1, currency: "USD", "weird-key!": "no" }))).toMatchObject({ code: "policy-stop" });
    expect(await decide(text, refund({ amountCents: 1, currency: "USD", "weird-key!": "yes" }))).toMatchObject({ type: "allow" });
    expect(await decide(text, refund({ amountCents: 1, currency: "USD" }))).toMatchObject({ type: "allow" });
  });

  test("[CTL-37] a half of a surrogate pair is denied where policy reads it", async () => {
    expect(await decide(capped, refund({ amountCents: 1, currency: "\ud800" }))).toMatchObject({ code: "policy-error" });
  });

  test("[CTL-37] an environment type that there is not is denied by the schema", async () => {
    const request = { ...ask("helpdesk__tickets.read", { id: "1" }), environmentType: "prod" as "production" };
    expect(await decide(grant, request)).toMatchObject({ type: "deny", code: "policy-error" });
  });
});

describe("policy text that would corrupt the engine", () => {
  const nested = (depth: number) =>
    `${grant}\n@id("deep") forbid (principal, action, resource)\nwhen { ${"(".repeat(depth)}false${")".repeat(depth)} };`;
  test.each([33, 100, 300, 10_000])(
    "[CTL-12][CTL-37] %i nested parentheses are refused with file and line, and nothing else is hurt",
    async (depth) => {
      const { issues } = await refusal(supportRegistry(onePolicy(nested(depth))));
      expect(issues).toEqual([
        { file: "policies/support/a.cedar", line: 4, message: "Brackets are nested deeper than 32; write it flatter." },
      ]);
      expect(await decide(grant, ask("helpdesk__tickets.read", { id: "1" }))).toMatchObject({ type: "allow" });
    },
  );

  const deep: [string, string][] = [
    ["if", `${"if true then ".repeat(3_000)}true${" else false".repeat(3_000)}`],
    ["not", `${"!".repeat(3_000)}true`],
    ["member", `context${".a".repeat(5_000)}`],
    ["or", Array.from({ length: 5_000 }, (_, index) => `context.facts.hour == ${index}`).join(" || ")],
  ];
  test.each(deep)(
    "[CTL-12][CTL-37] thousands of nested %s are refused with file and line, and nothing else is hurt",
    async (_what, body) => {
      const { issues } = await refusal(
        supportRegistry(onePolicy(`${grant}\n@id("deep") forbid (principal, action, resource) when { ${body} };`)),
      );
      expect(issues[0]).toMatchObject({ file: "policies/support/a.cedar", line: 3 });
      expect(await decide(grant, ask("helpdesk__tickets.read", { id: "1" }))).toMatchObject({ type: "allow" });
    },
  );

  test("[CTL-12] a list of two hundred alternatives is no nesting", async () => {
    const list = Array.from({ length: 200 }, (_, index) => `context.input.currency == "C${index}"`).join(" || ");
    const text = `${grant}@id("stop") forbid (principal, action == Remit::Action::"helpdesk__refund.create", resource) unless { ${list} };`;
    expect(await decide(text, refund({ amountCents: 1, currency: "C199" }))).toMatchObject({ type: "allow" });
    expect(await decide(text, refund({ amountCents: 1, currency: "C200" }))).toMatchObject({ code: "policy-stop" });
  });

  test("[CTL-37] an instance that was corrupted all the same is replaced, and the same question is answered", async () => {
    const instances: ReturnType<typeof loadCedar>[] = [];
    const own = createCedarEngine({
      load: () => {
        const instance = loadCedar();
        instances.push(instance);
        return instance;
      },
    });
    const registry = supportRegistry();
    await own.prepare(registry);
    const question = (amountCents: number) =>
      own.decide(registry, "support", ask("helpdesk__refund.create", { amountCents, currency: "USD" }));
    expect(question(1)).toMatchObject({ type: "allow" });
    expect(() => instances[0]?.policyToJson(nested(300).slice(grant.length))).toThrow();
    expect(() => instances[0]?.policyToJson(grant)).toThrow();
    expect(question(2)).toMatchObject({ type: "allow" });
    expect(question(20_000)).toMatchObject({ type: "require-approval" });
    expect(instances).toHaveLength(2);
  });

  test("[CTL-37] an engine that never works denies", async () => {
    const own = createCedarEngine({
      load: () => ({
        ...loadCedar(),
        statefulIsAuthorized: () => {
          throw new Error("trap");
        },
      }),
    });
    const registry = supportRegistry();
    await own.prepare(registry);
    expect(own.decide(registry, "support", ask("helpdesk__tickets.read", { id: "1" }))).toMatchObject({
      type: "deny",
      code: "policy-error",
    });
  });
});

describe("sets that are not what they seem", () => {
  test("[CTL-12] ids are unique over the files of a set and the guard", async () => {
    const files = (name: string, text: string) => ({ file: `policies/support/${name}.cedar`, text });
    const twice = supportRegistry({ sets: { support: [files("a", grant), files("b", `// again\n${grant}`)] } });
    expect((await refusal(twice)).issues).toEqual([
      {
        file: "policies/support/b.cedar",
        line: 2,
        message: "The id grant is taken by policies/support/a.cedar:1; ids are unique over a set and the guard house.",
      },
    ]);
    const guarded = supportRegistry({ sets: { support: [files("a", grant.replace("grant", "freeze.no_prod_on_fridays"))] } });
    expect((await refusal(guarded)).issues[0]?.message).toContain("is taken by policies/house/stops.cedar:1");
  });

  const refused: [string, string, number, string][] = [
    ["no id", "permit (principal, action, resource);", 1, "Every policy needs @id"],
    ["a misspelt team in the condition", gateText("support-lead", "suport-lead"), 1, "would not open it"],
    ["a misspelt team throughout", gateText("suport-lead", "suport-lead"), 3, "suport-lead"],
    ["a team that cannot approve", gateText("nobody", "nobody"), 3, "nobody"],
    ["a gate that no approval opens", '@id("g") @approval("finance") forbid (principal, action, resource);', 1, "would not open it"],
    ["a gate without @approval", gateText(null, "finance"), 1, "needs @approval"],
    [
      "approvals in a when",
      `@id("g") @approval("finance") forbid (principal, action, resource) when { !context.approvals.contains(Remit::Team::"finance") };`,
      1,
      "`unless` only",
    ],
    [
      "approvals under a !",
      `@id("g") @approval("finance") forbid (principal, action, resource) unless { !context.approvals.contains(Remit::Team::"finance") };`,
      1,
      "may only be asked",
    ],
    [
      "counting approvals",
      `@id("g") @approval("finance") forbid (principal, action, resource) unless { context.approvals.isEmpty() };`,
      1,
      "may only be asked",
    ],
    [
      "a grant that reads approvals",
      `@id("g") permit (principal, action, resource) when { context.approvals.contains(Remit::Team::"finance") };`,
      1,
      "only a gate",
    ],
    [
      "a permit with @approval",
      '@id("g") @approval("finance") permit (principal, action, resource);',
      1,
      "any broader permit would go round it",
    ],
    ["a misspelt annotation", '@id("g") @aproval("finance") forbid (principal, action, resource);', 1, "@aproval is not known"],
    ["an unknown mode", '@id("g") @mode("shadwo") forbid (principal, action, resource);', 1, "@mode is"],
    ["a duration that is none", gateText("finance", "finance", '@approval_ttl("4h")'), 1, "ISO 8601"],
    ["a misspelt tool", '@id("g") permit (principal, action == Remit::Action::"helpdesk__refund", resource);', 1, "helpdesk__refund"],
    ["a misspelt environment type", '@id("g") forbid (principal, action, resource in Remit::EnvironmentType::"prod");', 1, "prod"],
    ["a fact that there is not", '@id("g") forbid (principal, action, resource) when { context.facts.weekdays == "fri" };', 1, "weekdays"],
    [
      "a weekday that there is not",
      '@id("g") forbid (principal, action, resource) when { context.facts.weekday == "friday" };',
      1,
      'never "friday"; it is one of "mon"',
    ],
    [
      "an amount compared with text",
      '@id("g") forbid (principal, action == Remit::Action::"helpdesk__refund.create", resource) when { context.input.amountCents > "1" };',
      1,
      "expected Long but saw String",
    ],
    [
      "an optional member read without has",
      '@id("g") forbid (principal, action, resource) when { context.run.queue == "legal" };',
      1,
      "has",
    ],
    [
      "a record compared as a whole",
      '@id("g") forbid (principal, action, resource) when { context.run == {environment: "x"} };',
      1,
      "Read its members",
    ],
    [
      "a number too large to be exact",
      '@id("g") forbid (principal, action, resource) when { context.facts.hour > 9007199254740993 };',
      1,
      "beyond",
    ],
    ["a template", '@id("g") permit (principal == ?principal, action, resource);', 1, "template"],
    ["a text that is not closed", '@id("g) permit (principal, action, resource);', 1, "not closed"],
    ["a policy without an end", `${grant}permit (principal, action, resource)`, 2, "does not end"],
    ["params that are not JSON", '@id("g") @obligation("redact") @params("{") permit (principal, action, resource);', 1, "JSON object"],
    [
      "params of another type",
      '@id("g") @obligation("redact") @params("{\\"pointers\\": 3}") permit (principal, action, resource);',
      1,
      "pointers",
    ],
    [
      "params that name the type",
      '@id("g") @obligation("redact") @params("{\\"type\\": \\"cap\\"}") permit (principal, action, resource);',
      1,
      "without",
    ],
    [
      "an obligation that forbids",
      '@id("g") @obligation("notify") @params("{\\"to\\": [\\"ada\\"]}") forbid (principal, action, resource);',
      1,
      "written as permit",
    ],
    [
      "a syntax error on its own line",
      `${grant}@id("g") permit (principal, action, resource)\nwhen {\n  context.facts.hour >\n};`,
      5,
      "unexpected token",
    ],
  ];
  test.each(refused)("[CTL-12][CTL-37] %s is refused with file and line", async (_what, text, line, words) => {
    const { issues } = await refusal(supportRegistry(onePolicy(text)));
    expect(issues.map((issue) => issue.message).join("\n")).toContain(words);
    expect(issues.map((issue) => `${issue.file}:${issue.line}`)).toContain(`policies/support/a.cedar:${line}`);
  });

  test("[CTL-12] a permit in the guard is refused", async () => {
    const registry = supportRegistry({ sets: { house: [{ file: "policies/house/a.cedar", text: grant }] } });
    expect((await refusal(registry)).issues[0]?.message).toContain("the guard holds gates, stops and obligations");
  });

  test("[CTL-12] a guard that is no set is refused", async () => {
    expect((await refusal(supportRegistry({ guard: "nobody" }))).message).toContain("The guard nobody is not a registered policy set");
  });

  test("[CTL-37] an obligation that this server cannot meet denies what it matches", async () => {
    const text = `${grant}@id("duty") @obligation("watermark") permit (principal, action == Remit::Action::"helpdesk__email.send", resource);`;
    expect(await decide(text, ask("helpdesk__email.send", { to: "a" }))).toMatchObject({
      code: "obligation-unsupported",
      policies: ["duty"],
    });
    expect(await decide(text, ask("helpdesk__tickets.read", { id: "1" }))).toMatchObject({ type: "allow" });
  });

  test("[CTL-37] a set, a tool or a registry that is not in force is denied", async () => {
    const registry = supportRegistry();
    expect(engine.decide(registry, "support", ask("helpdesk__tickets.read", {}))).toMatchObject({ code: "policy-missing" });
    await engine.prepare(registry);
    expect(engine.decide(registry, "nothing", ask("helpdesk__tickets.read", {}))).toMatchObject({ code: "policy-missing" });
    expect(engine.decide(registry, "support", ask("helpdesk__nothing", {}))).toMatchObject({ code: "unknown-tool" });
    const unpinned = { ...pinnedTool("helpdesk", "new", "read", {}), pin: null };
    const partly = { ...registry, digest: "partly", tools: new Map([...registry.tools, ["helpdesk__new", unpinned]]) };
    await engine.prepare(partly);
    expect(engine.decide(partly, "support", ask("helpdesk__new", {}))).toMatchObject({ code: "policy-error" });
    expect(engine.couldAllow(partly, "support", ask("helpdesk__new", {}))).toBe(false);
  });
});

describe("what stays bounded", () => {
  test("[CTL-12] prepared sets reuse their ids, and an evicted one answers as before", async () => {
    const ids = new Set<string>();
    const own = createCedarEngine({
      load: () => {
        const cedar = loadCedar();
        return {
          ...cedar,
          preparsePolicySet: (id, policies) => {
            ids.add(id);
            return cedar.preparsePolicySet(id, policies);
          },
        };
      },
      slots: 4,
    });
    const registry = supportRegistry();
    await own.prepare(registry);
    const tools = [...registry.tools.values()];
    const verdicts = (round: number) =>
      tools.flatMap((tool) =>
        (["billing-tier1", null] as const).map((queue) => {
          const input = { id: "1", body: `${round}`, to: "a", amountCents: 10_000 + (round % 2), currency: "USD", diffLines: 1 };
          const facts = { ...quietFacts, actionsToday: round };
          return own.decide(registry, "support", ask(tool.qualifiedName, input, { queue, facts })).type;
        }),
      );
    const first = verdicts(0);
    for (let round = 2; round < 20; round += 2) expect(verdicts(round)).toEqual(first);
    // One more than the slots: the newest is prepared before the oldest is let go.
    expect(ids.size).toBe(5);
  });
});

test("the fixtures of the worked example are what is tested", () => {
  expect(fixture("support").map(({ file }) => file)).toEqual([
    "policies/support/gates.cedar",
    "policies/support/grants.cedar",
    "policies/support/obligations.cedar",
    "policies/support/stops.cedar",
  ]);
});

function gateText(approval: string | null, team: string, more = ""): string {
  return `${approval === null ? "" : `@approval("${approval}") `}@id("g") ${more}
forbid (principal, action, resource)
unless { context.approvals.contains(Remit::Team::"${team}") };`;
}
