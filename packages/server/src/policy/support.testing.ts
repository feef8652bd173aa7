import { readdirSync, readFileSync } from "node:fs";
import type { JsonObject } from "@remit/contract";
import type { PolicyRequest, PolicySource, RegisteredTool, Registry } from "@remit/core";
import { buildRegistry } from "@remit/core/testing";

/** The registry of the worked example: a helpdesk and a code host, a support agent and a developer's, and the policies in fixtures/. */
export function supportRegistry(changes: { sets?: Record<string, PolicySource[]>; guard?: string | null; digest?: string } = {}): Registry {
  const registry = buildRegistry({
    upstreams: [{ name: "code" }],
    teams: [{ name: "codeowner", members: ["ada"] }],
    queues: [{ name: "legal" }],
    agents: [
      { name: "support-agent", roles: ["support-tier1"], tier: 3, environments: ["dev", "staging", "production"], policies: ["support"] },
      { name: "dev-agent", roles: ["developer"], tier: 3, environments: ["dev", "staging", "production"], policies: ["support"] },
    ],
  });
  const guard = changes.guard === undefined ? "house" : changes.guard;
  const sets: Record<string, PolicySource[]> = { support: fixture("support"), house: fixture("house"), ...changes.sets };
  const { guard: _unset, ...organisation } = registry.organisation;
  const policies = Object.entries(sets).map(
    ([name, sources]) =>
      [name, { spec: { kind: "policy", name, description: name, owner: "ada" } as const, digest: name, sources }] as const,
  );
  registryNumber += 1;
  return {
    ...registry,
    // Engines keep what they have prepared by digest: one registry, one digest.
    digest: changes.digest ?? `registry-${registryNumber}`,
    organisation: guard === null ? organisation : { ...organisation, guard },
    tools: new Map(supportTools.map((tool) => [tool.qualifiedName, tool])),
    policies: new Map(policies),
  };
}
let registryNumber = 0;

export function fixture(name: string): PolicySource[] {
  const folder = new URL(`./fixtures/${name}/`, import.meta.url);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".cedar"))
    .sort()
    .map((file) => ({ file: `policies/${name}/${file}`, text: readFileSync(new URL(file, folder), "utf8") }));
}

/** One source as a set, in place of the worked example's. */
export function onePolicy(text: string): { sets: Record<string, PolicySource[]>; guard: null } {
  return { sets: { support: [{ file: "policies/support/a.cedar", text }], house: [] }, guard: null };
}

export function pinnedTool(upstream: string, name: string, effect: "read" | "propose" | "write", inputSchema: JsonObject): RegisteredTool {
  return {
    qualifiedName: `${upstream}__${name}`,
    spec: { kind: "tool", upstream, name, effect, reversibility: "reversible", sensitivity: "internal", owner: "ben", idempotent: false },
    state: "accepted",
    pin: { description: name, inputSchema: { type: "object", ...inputSchema }, outputSchema: null, digest: "0".repeat(64) },
  };
}

const text = { type: "string" };
const supportTools: RegisteredTool[] = [
  pinnedTool("helpdesk", "tickets.read", "read", { properties: { id: text }, required: ["id"] }),
  pinnedTool("helpdesk", "tickets.draft_reply", "propose", { properties: { id: text, body: text }, required: ["id", "body"] }),
  pinnedTool("helpdesk", "email.send", "write", { properties: { to: text, subject: text, body: text }, required: ["to"] }),
  pinnedTool("helpdesk", "refund.create", "write", {
    properties: { amountCents: { type: "integer", minimum: 1 }, currency: text, "weird-key!": text, weight: { type: "number" } },
    required: ["amountCents", "currency"],
  }),
  pinnedTool("code", "propose_diff", "propose", { properties: { diffLines: { type: "integer" } }, required: ["diffLines"] }),
];

export const quietFacts: PolicyRequest["facts"] = {
  weekday: "tue",
  hour: 10,
  date: "2026-11-24",
  runActions: 0,
  runActionsLimit: 20,
  actionsThisMinute: 0,
  actionsToday: 0,
  amountToday: 0,
};

/** The support agent's question about a tool of the worked example, in staging, on a Tuesday, working on a billing ticket. */
export function ask(tool: string, input: JsonObject | null, changes: Partial<PolicyRequest> = {}): PolicyRequest {
  const registered = supportTools.find((one) => one.qualifiedName === tool);
  const environment = changes.environment ?? "staging";
  return {
    agent: "support-agent",
    roles: ["support-tier1"],
    tier: 3,
    tool,
    upstream: registered?.spec.upstream ?? "helpdesk",
    effect: registered?.spec.effect ?? "write",
    sensitivity: "internal",
    reversibility: "reversible",
    queue: "billing-tier1",
    environment,
    environmentType: environment === "production" ? "production" : environment === "dev" ? "dev" : "staging",
    workflow: "triage",
    input,
    facts: quietFacts,
    approvals: [],
    ...changes,
  };
}
