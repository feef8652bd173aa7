import { readFileSync } from "node:fs";
import { RemitError } from "@remit/contract";
import type { PolicyQuestion } from "@remit/contract";
import type { RegisteredAgent, Registry } from "@remit/core";
import { describe, expect, test } from "vitest";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import { validFiles } from "../registry/registry-files.testing.ts";
import { registerPolicyRoutes } from "./policy.routes.ts";
import { createPolicyWorkbench, registryOfFiles } from "./policy-workbench.ts";
import { onePolicy, pinnedTool, supportRegistry } from "./support.testing.ts";

const workbench = createPolicyWorkbench();
const registry = withGrants(supportRegistry());
const refund = (amountCents: number): PolicyQuestion => ({
  agent: "support-agent",
  tool: "helpdesk__refund.create",
  queue: "billing-tier1",
  environment: "staging",
  input: { amountCents, currency: "USD" },
  facts: {},
  approvals: [],
});

describe("explain", () => {
  test("[CTL-16] says which conditions held, and the smallest changes that would turn the verdict", async () => {
    const explanation = await workbench.explain(registry, refund(15_000));
    expect(explanation).toMatchObject({ verdict: "require-approval", approvals: ["finance"], determining: ["gate.refund_over_100_usd"] });
    expect(explanation.policies.find(({ id }) => id === "gate.refund_over_100_usd")).toEqual({
      id: "gate.refund_over_100_usd",
      source: "policies/support/gates.cedar:7",
      kind: "gate",
      shadow: false,
      applies: "yes",
      conditions: [
        { text: 'currency is not "USD" or amountCents is more than 10000', holds: "yes" },
        { text: "not (the approvals contains team finance)", holds: "yes" },
      ],
    });
    expect(explanation.changes).toContainEqual({ change: "finance approves it", verdict: "allow" });
    expect(explanation.changes).toContainEqual({ change: "amountCents is 10000", verdict: "allow" });
    expect(explanation.changes.every(({ verdict }) => verdict === "allow")).toBe(true);
  });

  test("[CTL-16] of what is allowed, what would stop it", async () => {
    const { verdict, changes } = await workbench.explain(registry, refund(10_000));
    expect(verdict).toBe("allow");
    expect(changes).toContainEqual({ change: "amountCents is 10001", verdict: "require-approval" });
    expect(changes).toContainEqual({ change: "it works on the queue legal", verdict: "deny" });
  });

  test("[CTL-16] of what nothing grants, the grants that come near", async () => {
    const { code, near, changes } = await workbench.explain(registry, { ...refund(1), queue: "legal" });
    expect(code).toBe("no-grant");
    expect(near).toEqual([
      { id: "support.act_on_tickets", source: "policies/support/grants.cedar:9", text: "it is for queue billing-tier1, and this is legal" },
    ]);
    expect(changes).toContainEqual({ change: "it works on the queue billing-tier1", verdict: "allow" });
  });

  test("[CTL-08][CTL-16] of a tier that does not reach, the tier that would", async () => {
    const { code, changes } = await workbench.explain(registry, { ...refund(1), tier: 1 });
    expect(code).toBe("tier-too-low");
    expect(changes).toEqual([{ change: "the agent has tier 2", verdict: "allow" }]);
  });

  test("a question about what there is not is refused, with what was meant", async () => {
    const thrown: unknown = await workbench
      .explain(registry, { ...refund(1), tool: "helpdesk__refund.creat" })
      .catch((error: unknown) => error);
    expect(RemitError.is(thrown) && thrown.issues).toEqual([
      { pointer: "/tool", message: expect.stringContaining("helpdesk__refund.create") },
    ]);
  });
});

describe("can", () => {
  test("[CTL-04][CTL-16][CTL-25] says of each tool whether it is allowed, whom it asks, and when", async () => {
    const { abilities } = await workbench.can(registry, "support-agent");
    const inPlace = (environment: string) =>
      abilities
        .filter((one) => one.environment === environment && one.queue === "billing-tier1")
        .map(({ tool, answer, teams, lines }) => [tool, answer, teams, lines]);
    expect(inPlace("staging")).toEqual([
      ["helpdesk__tickets.read", "allowed", [], []],
      ["helpdesk__tickets.draft_reply", "allowed", [], []],
      ["helpdesk__email.send", "asks", ["support-lead"], ["asks support-lead (gate.email_needs_support_lead)"]],
      [
        "helpdesk__refund.create",
        "depends",
        ["finance"],
        [
          'asks finance when currency is not "USD" or amountCents is more than 10000 (gate.refund_over_100_usd)',
          "never when the amount already spent today + amountCents is more than 50000 (stop.refund_daily_cap)",
        ],
      ],
      ["code__propose_diff", "never", [], ["no policy permits code__propose_diff to support-agent in billing-tier1"]],
    ]);
    expect(inPlace("production").find(([tool]) => tool === "helpdesk__email.send")).toEqual([
      "helpdesk__email.send",
      "asks",
      ["support-lead"],
      ['never when the weekday is "fri" (freeze.no_prod_on_fridays)', "asks support-lead (gate.email_needs_support_lead)"],
    ]);
  });
});

describe("lint", () => {
  test("[CTL-12] says what is doubtful, and is quiet about the worked example", async () => {
    expect(await workbench.lint(registry)).toEqual([]);
  });

  const remarks: [string, string, string, string][] = [
    ["a permit for everybody", '@id("a") permit (principal, action, resource);', "warning", "permits every agent"],
    [
      "a role that nobody has",
      '@id("a") permit (principal in Remit::Role::"support", action, resource);',
      "warning",
      "applies to no registered agent",
    ],
    [
      "an unknown queue",
      '@id("a") forbid (principal, action, resource in Remit::Queue::"billing");',
      "warning",
      'Queue "billing" is not registered',
    ],
    ["what can never hold", '@id("a") forbid (principal, action, resource) when { false };', "warning", "impossible"],
    ["a shadow", '@id("a") @mode("shadow") forbid (principal, action, resource);', "note", "shadow mode"],
    ["an obligation nobody can meet", '@id("a") @obligation("watermark") permit (principal, action, resource);', "warning", "cannot meet"],
    ["a syntax error", '@id("a") forbid (principal, action);', "error", "resource"],
  ];
  test.each(remarks)("[CTL-12] %s", async (_what, text, severity, words) => {
    const findings = await workbench.lint(supportRegistry(onePolicy(text)));
    expect(findings).toContainEqual(
      expect.objectContaining({ severity, file: "policies/support/a.cedar", line: 1, message: expect.stringContaining(words) }),
    );
  });
});

describe("test", () => {
  const text = readFileSync(new URL("./fixtures/support/support.test.yaml", import.meta.url), "utf8");
  const file = { policy: "support", file: "policies/support/support.test.yaml", text };

  test("[CTL-15] runs cases kept as data, and says what small changes of the policies they would not notice", async () => {
    const report = await workbench.test(registry, [file]);
    expect(report.cases.flatMap(({ differences }) => differences)).toEqual([]);
    expect(report).toMatchObject({ passed: 9, failed: 0 });
    expect(report.mutation.noticed).toBeLessThan(report.mutation.changes);
    // The boundaries: no case stands on 10000 and 10001.
    expect(report.mutation.survivors).toContainEqual({
      policy: "gate.refund_over_100_usd",
      source: "policies/support/gates.cedar:7",
      change: '"amountCents is more than 10000" moved to 10001',
    });
    expect(report.mutation.survivors.map(({ policy, change }) => `${policy}: ${change}`)).not.toContain(
      "gate.email_needs_support_lead: left out",
    );
  });

  test("[CTL-15] cases on the boundary notice", async () => {
    const at = (amountCents: number, verdict: string) =>
      `  - { name: "${amountCents}", agent: support-agent, tool: helpdesk__refund.create, queue: billing-tier1, environment: staging, input: { amountCents: ${amountCents}, currency: USD }, expect: { verdict: ${verdict} } }\n`;
    const more = {
      ...file,
      file: "policies/support/more.test.yaml",
      text: `cases:\n${at(10_000, "allow")}${at(10_001, "require-approval")}`,
    };
    const { mutation } = await workbench.test(registry, [file, more]);
    expect(mutation.survivors.filter(({ change }) => change.includes("10000"))).toEqual([]);
  });

  test("[CTL-15] a failure says where and what differs", async () => {
    const wrong = text.replace(
      "expect: { verdict: allow, policies: [support.read_tickets], obligations: [redact] }",
      "expect: { verdict: deny, code: no-grant }",
    );
    const { cases } = await workbench.test(registry, [{ ...file, text: wrong }]);
    expect(cases[0]).toEqual({
      policy: "support",
      file: "policies/support/support.test.yaml",
      line: 2,
      name: "a ticket of its queue is read, redacted",
      ok: false,
      differences: ["verdict: expected deny, got allow", "code: expected no-grant, got none"],
    });
  });

  test("[CTL-15] a file that is none is refused with its line", async () => {
    const thrown: unknown = await workbench
      .test(registry, [{ ...file, text: "cases:\n  - name: x\n    agnet: support-agent\n" }])
      .catch((error: unknown) => error);
    expect(RemitError.is(thrown) && thrown.issues).toContainEqual(expect.objectContaining({ file: file.file, line: 3 }));
  });
});

describe("routes", () => {
  async function open() {
    const app = await createTestApp({ doorkeeper: testDoorkeeper() });
    registerPolicyRoutes(app, { registry: { current: () => registry }, workbench });
    const post = (url: string, payload: object, authorization = "Machine machine-key") =>
      app.inject({ method: "POST", url, payload, headers: { authorization } });
    return { post };
  }

  test("[CTL-16] answer whoever may ask, and nobody else", async () => {
    const { post } = await open();
    const explained = await post("/v1/policy/explain", refund(15_000));
    expect(explained.json()).toMatchObject({ verdict: "require-approval", approvals: ["finance"] });
    const can = await post("/v1/policy/can", { agent: "dev-agent" });
    expect(can.json()).toMatchObject({ agent: "dev-agent", policy: "support", tier: 3 });
    expect((await post("/v1/policy/can", { agent: "nobody" })).statusCode).toBe(404);
    expect((await post("/v1/policy/explain", refund(1), "Bearer nobody")).statusCode).toBe(401);
    expect((await post("/v1/policy/explain", { ...refund(1), extra: 1 })).statusCode).toBe(400);
  });

  test("[CTL-12] check files without bringing them into force", async () => {
    const { post } = await open();
    const lint = await post("/v1/policy/lint", { files: validFiles });
    expect(lint.statusCode).toBe(200);
    expect(lint.json<{ findings: { severity: string }[] }>().findings.filter(({ severity }) => severity === "error")).toEqual([]);
    const report = await post("/v1/policy/test", { files: validFiles });
    expect(report.json()).toMatchObject({ passed: 0, failed: 0 });
    expect((await post("/v1/policy/lint", { files: { "remit.yaml": "x: 1" } })).statusCode).toBe(422);
  });
});

test("[CTL-12] a registry of files has the tests beside its policies, and what is accepted of its tools", () => {
  const pins = new Map([
    ["helpdesk__tickets.read", { pin: pinnedTool("helpdesk", "tickets.read", "read", {}).pin, state: "accepted" as const }],
  ]);
  const { registry: assembled, policyTests } = registryOfFiles(validFiles, null, pins);
  expect(policyTests.map(({ file }) => file)).toEqual(["policies/support/support.test.yaml"]);
  expect([...assembled.tools.values()].map(({ qualifiedName, pin }) => [qualifiedName, pin !== null])).toEqual([
    ["helpdesk__send_email", false],
    ["helpdesk__tickets.read", true],
  ]);
});

/** The worked example with its agents granted its tools. */
function withGrants(base: Registry): Registry {
  const granted = (agent: RegisteredAgent): RegisteredAgent => ({ ...agent, spec: { ...agent.spec, tools: [...base.tools.keys()] } });
  return { ...base, agents: new Map([...base.agents].map(([name, agent]) => [name, granted(agent)])) };
}
