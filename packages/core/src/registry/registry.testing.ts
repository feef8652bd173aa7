/*
 * Small valid registries for tests. `import { buildRegistry } from "@remit/core/testing"`; inside core, import this file.
 *
 *   buildRegistry()                                                     one agent, one queue, one workflow, four tools
 *   buildRegistry({ agents: [{ name: "support-agent", tier: 0 }] })     the same, with one thing different
 *   buildRegistry({ tools: [{ name: "wipe", effect: "write" }] })       one more tool, otherwise like the first default tool
 *   buildRegistry({ policies: [{ name: "house", sources: [...] }] })    one more policy set
 */
import {
  agentSpecSchema,
  credentialSpecSchema,
  environmentSpecSchema,
  partySpecSchema,
  policySpecSchema,
  qualifiedToolName,
  queueSpecSchema,
  teamSpecSchema,
  toolSpecSchema,
  upstreamSpecSchema,
  workflowSpecSchema,
} from "@remit/contract";
import type {
  AgentSpec,
  CredentialSpec,
  EnvironmentSpec,
  PartySpec,
  PolicySpec,
  QueueSpec,
  TeamSpec,
  ToolSpec,
  UpstreamSpec,
  WorkflowSpec,
} from "@remit/contract";
import type { PolicySource, RegisteredAgent, RegisteredPolicy, RegisteredTool, Registry, ToolPin, ToolState } from "./registry.ts";

type Named<Spec, More = unknown> = Partial<Omit<Spec, "kind" | "name">> & Partial<More> & { name: string };

export type RegistryOverrides = {
  digest?: string;
  organisation?: Partial<Registry["organisation"]>;
  parties?: Named<PartySpec>[];
  teams?: Named<TeamSpec>[];
  environments?: Named<EnvironmentSpec>[];
  upstreams?: Named<UpstreamSpec>[];
  credentials?: Named<CredentialSpec>[];
  /** By the tool's own name; `upstream` is `helpdesk` unless said. `pin: null` with `state: "missing"` for one that is not offered. */
  tools?: Named<ToolSpec, { state: ToolState; pin: ToolPin | null }>[];
  agents?: Named<AgentSpec, { version: string; suspended: RegisteredAgent["suspended"] }>[];
  policies?: Named<PolicySpec, { digest: string; sources: PolicySource[] }>[];
  queues?: Named<QueueSpec>[];
  workflows?: Named<WorkflowSpec>[];
};

/** A registry in force. What is named like a default is merged into it; what is new is made after the first default of its kind. */
export function buildRegistry(overrides: RegistryOverrides = {}): Registry {
  const parties = merge(defaultParties, overrides.parties, { displayName: "Somebody", email: undefined, roles: [] });
  const tools = merge(defaultTools, overrides.tools);
  const agents = merge(defaultAgents, overrides.agents);
  const policies = merge(defaultPolicies, overrides.policies);
  return {
    digest: overrides.digest ?? digestOf("registry"),
    organisation: { name: "acme", trustDomain: "acme.example", timeZone: "Europe/Berlin", ...overrides.organisation },
    parties: byName(parties, (party) => partySpecSchema.parse({ kind: "party", ...party })),
    teams: byName(merge(defaultTeams, overrides.teams), (team) => teamSpecSchema.parse({ kind: "team", ...team })),
    environments: byName(merge(defaultEnvironments, overrides.environments), (environment) =>
      environmentSpecSchema.parse({ kind: "environment", ...environment }),
    ),
    upstreams: byName(merge(defaultUpstreams, overrides.upstreams), (upstream) =>
      upstreamSpecSchema.parse({ kind: "upstream", ...upstream }),
    ),
    credentials: byName(overrides.credentials ?? [], (credential) =>
      credentialSpecSchema.parse({ kind: "credential", owner: "ada", ...credential }),
    ),
    tools: new Map(tools.map((tool) => registerTool(tool)).map((tool) => [tool.qualifiedName, tool])),
    agents: byName(agents, registerAgent),
    policies: byName(policies, registerPolicy),
    queues: byName(merge(defaultQueues, overrides.queues), (queue) => queueSpecSchema.parse({ kind: "queue", ...queue })),
    workflows: byName(merge(defaultWorkflows, overrides.workflows), (workflow) =>
      workflowSpecSchema.parse({ kind: "workflow", ...workflow }),
    ),
  };
}

const defaultParties: Named<PartySpec>[] = [
  { name: "ada", displayName: "Ada Admin", email: "ada@acme.example", roles: ["admin", "operator"] },
  { name: "ben", displayName: "Ben Support", roles: ["operator"] },
  { name: "cleo", displayName: "Cleo Support", roles: ["viewer"] },
  { name: "dana", displayName: "Dana Finance", roles: ["auditor"] },
];

const defaultTeams: Named<TeamSpec>[] = [
  { name: "support-lead", members: ["ben", "cleo"], approval: { quorum: 1, expiresAfter: "PT4H" } },
  { name: "finance", members: ["dana", "ada"], approval: { quorum: 1, expiresAfter: "PT8H" } },
];

const defaultEnvironments: Named<EnvironmentSpec>[] = [
  { name: "dev", type: "dev" },
  { name: "staging", type: "staging" },
  { name: "production", type: "production" },
];

const defaultUpstreams: Named<UpstreamSpec>[] = [
  { name: "helpdesk", owner: "ben", transport: { type: "stdio", command: "node", args: ["helpdesk.ts"], env: {}, passEnv: [] } },
];

const anyObject = { type: "object" };

const defaultTools: Named<ToolSpec, { state: ToolState; pin: ToolPin | null }>[] = [
  { ...tool("tickets.read", "read", "reversible"), pin: pin({ properties: { id: { type: "string" } }, required: ["id"] }) },
  {
    ...tool("tickets.draft_reply", "propose", "reversible"),
    pin: pin({ properties: { id: { type: "string" }, body: { type: "string" } } }),
  },
  {
    ...tool("send_email", "write", "none"),
    pin: pin({ properties: { to: { type: "string" }, subject: { type: "string" }, body: { type: "string" } }, required: ["to"] }),
  },
  {
    ...tool("refund.create", "write", "compensable"),
    amount: { pointer: "/amountCents", unit: "EUR-cent" },
    pin: pin({
      properties: { amountCents: { type: "integer", minimum: 0 }, currency: { type: "string" } },
      required: ["amountCents", "currency"],
    }),
  },
];

const defaultPolicies: Named<PolicySpec, { digest: string; sources: PolicySource[] }>[] = [
  {
    name: "customer_support_tier1_v3",
    description: "What first-level support may do",
    owner: "ada",
    sources: [
      {
        file: "policies/customer_support_tier1_v3/grants.cedar",
        text: '@id("grants.everything")\npermit (principal, action, resource);\n',
      },
    ],
  },
];

const defaultAgents: Named<AgentSpec, { version: string; suspended: RegisteredAgent["suspended"] }>[] = [
  {
    name: "support-agent",
    purpose: "Triages billing tickets",
    accountable: "ada",
    tier: 2,
    roles: ["support-tier1"],
    policies: ["customer_support_tier1_v3"],
    environments: ["dev", "staging"],
    tools: defaultTools.map((tool) => qualifiedToolName("helpdesk", tool.name)),
    constraints: { may: ["read tickets"], asks: ["to send mail"], never: ["to delete anything"] },
  },
];

const defaultQueues: Named<QueueSpec>[] = [{ name: "billing-tier1", owner: "ben" }];

const defaultWorkflows: Named<WorkflowSpec>[] = [
  {
    name: "triage",
    accountable: "ada",
    agent: "support-agent",
    queue: "billing-tier1",
    command: ["node", "agent.ts"],
    limits: { actions: 20, wallclock: "PT10M" },
    approvers: "support-lead",
    charter: { done: "Every ticket has a draft", failureModes: ["A wrong draft"], successMetrics: ["Drafts accepted"] },
    responsibilities: { intent: "ada", execution: "support-agent", constraints: "dana" },
  },
];

function tool(name: string, effect: ToolSpec["effect"], reversibility: ToolSpec["reversibility"]) {
  return { name, upstream: "helpdesk", effect, reversibility, sensitivity: "internal" as const, owner: "ben" };
}

function pin(inputSchema: ToolPin["inputSchema"]): ToolPin {
  return {
    description: "A tool",
    inputSchema: { ...anyObject, ...inputSchema },
    outputSchema: null,
    digest: digestOf(JSON.stringify(inputSchema)),
  };
}

/** Not a hash, only as distinct and as stable as one: tests that need true digests assemble a registry. */
function digestOf(text: string): string {
  let state = 0x811c9dc5;
  let digest = "";
  for (let round = 0; round < 8; round += 1) {
    for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193) >>> 0;
    state = Math.imul(state ^ round, 0x01000193) >>> 0;
    digest += state.toString(16).padStart(8, "0");
  }
  return digest;
}

function registerTool(override: Named<ToolSpec, { state: ToolState; pin: ToolPin | null }>): RegisteredTool {
  const { state = "accepted", pin: pinned = pin({}), ...spec } = override;
  const parsed = toolSpecSchema.parse({ kind: "tool", ...spec });
  return { qualifiedName: qualifiedToolName(parsed.upstream, parsed.name), spec: parsed, state, pin: pinned };
}

function registerAgent(override: Named<AgentSpec, { version: string; suspended: RegisteredAgent["suspended"] }>): RegisteredAgent {
  const { version = digestOf(override.name), suspended = null, ...spec } = override;
  const closure = { agent: digestOf(override.name), prompt: null, tools: {}, policies: {}, workflows: {} };
  return { spec: agentSpecSchema.parse({ kind: "agent", ...spec }), prompt: null, closure, version, suspended };
}

function registerPolicy(override: Named<PolicySpec, { digest: string; sources: PolicySource[] }>): RegisteredPolicy {
  const { sources = [], digest = digestOf(JSON.stringify(sources)), ...spec } = override;
  return { spec: policySpecSchema.parse({ kind: "policy", ...spec }), digest, sources };
}

function merge<Item extends { name: string }>(defaults: readonly Item[], overrides: readonly Item[] = [], fresh: object = {}): Item[] {
  // Two upstreams may have tools of one name.
  const keyOf = (item: { name: string; upstream?: string }): string => `${item.upstream ?? "helpdesk"} ${item.name}`;
  const merged = new Map(defaults.map((item) => [keyOf(item), item]));
  for (const override of overrides) {
    const base = merged.get(keyOf(override)) ?? { ...defaults[0], ...fresh };
    merged.set(keyOf(override), { ...base, ...override });
  }
  return [...merged.values()];
}

function byName<Item extends { name: string }, Value>(items: readonly Item[], register: (item: Item) => Value): ReadonlyMap<string, Value> {
  return new Map(items.map((item) => [item.name, register(item)]));
}
