import { qualifiedToolName } from "@remit/contract";
import type {
  AgentClosure,
  AgentSpec,
  AssetSpec,
  CredentialSpec,
  EnvironmentSpec,
  OrganisationSpec,
  PartySpec,
  PolicySpec,
  QueueSpec,
  TeamSpec,
  UpstreamSpec,
  WorkflowSpec,
} from "@remit/contract";
import type { PolicySource, RegisteredAgent, Registry, ToolPin, ToolState } from "./registry.ts";
import { closureDigest, policyDigest, registryDigest, specDigest } from "./version-digest.ts";
import type { HashText } from "./version-digest.ts";

/** What is known of a tool's pin. */
export type PinnedTool = { state: ToolState; pin: ToolPin | null };

/** Everything that a registry is made of. */
export type RegistryParts = {
  organisation: OrganisationSpec["organisation"];
  assets: readonly AssetSpec[];
  /** By policy set. */
  policySources: ReadonlyMap<string, readonly PolicySource[]>;
  /** By path. */
  prompts: ReadonlyMap<string, string>;
  /** By qualified name; a tool without an entry is missing. */
  pins: ReadonlyMap<string, PinnedTool>;
};

/**
 * The registry of these parts, with every digest and every suspension worked out. Parts that refer to nothing are for
 * `assembleRegistry` to refuse; here they are only left out, so that what is composed can never do more than was meant.
 */
export function composeRegistry(parts: RegistryParts, hash: HashText): Registry {
  const parties = named<PartySpec>(parts, "party");
  const upstreams = named<UpstreamSpec>(parts, "upstream");
  const workflows = named<WorkflowSpec>(parts, "workflow");
  const tools = new Map(
    sorted(parts.assets.filter((asset) => asset.kind === "tool").map((spec) => [qualifiedToolName(spec.upstream, spec.name), spec])).map(
      ([qualifiedName, spec]) => {
        const { state, pin } = parts.pins.get(qualifiedName) ?? { state: "missing", pin: null };
        return [qualifiedName, { qualifiedName, spec, state, pin }];
      },
    ),
  );
  const policies = new Map(
    [...named<PolicySpec>(parts, "policy")].map(([name, spec]) => {
      const sources = [...(parts.policySources.get(name) ?? [])].sort((left, right) => (left.file < right.file ? -1 : 1));
      return [name, { spec, digest: policyDigest(spec, sources, hash), sources }];
    }),
  );
  const unversioned = {
    organisation: parts.organisation,
    parties,
    teams: named<TeamSpec>(parts, "team"),
    environments: named<EnvironmentSpec>(parts, "environment"),
    upstreams,
    credentials: named<CredentialSpec>(parts, "credential"),
    tools,
    policies,
    queues: named<QueueSpec>(parts, "queue"),
    workflows,
  };
  const agents = new Map(
    [...named<AgentSpec>(parts, "agent")].map(([name, spec]) => {
      const prompt = promptOf(spec, parts);
      const closure = closureOf(spec, prompt, unversioned, hash);
      return [name, { spec, prompt, closure, version: closureDigest(closure, hash), suspended: suspension(spec, unversioned) }];
    }),
  );
  return { ...unversioned, agents, digest: registryDigest({ ...unversioned, agents }, hash) };
}

function closureOf(
  spec: AgentSpec,
  prompt: RegisteredAgent["prompt"],
  registry: Omit<Registry, "agents" | "digest">,
  hash: HashText,
): AgentClosure {
  const guard = registry.organisation.guard;
  const policies = guard === undefined ? spec.policies : [...spec.policies, guard];
  return {
    agent: specDigest(spec, hash),
    prompt: prompt === null ? null : hash(prompt.text),
    tools: Object.fromEntries(
      spec.tools.flatMap((name) => {
        const tool = registry.tools.get(name);
        const upstream = tool && registry.upstreams.get(tool.spec.upstream);
        if (tool === undefined || upstream === undefined) return [];
        return [[name, { spec: specDigest(tool.spec, hash), pin: tool.pin?.digest ?? null, upstream: specDigest(upstream, hash) }]];
      }),
    ),
    policies: Object.fromEntries(
      policies.flatMap((name) => {
        const policy = registry.policies.get(name);
        return policy === undefined ? [] : [[name, policy.digest]];
      }),
    ),
    workflows: Object.fromEntries(
      [...registry.workflows.values()].filter((flow) => flow.agent === spec.name).map((flow) => [flow.name, specDigest(flow, hash)]),
    ),
  };
}

/** Nobody alive answers for it: it may not act. A workflow that nobody answers for stops the agent that does its work. */
function suspension(spec: AgentSpec, registry: Pick<Registry, "parties" | "workflows">): RegisteredAgent["suspended"] {
  if (!isActiveHuman(registry.parties.get(spec.accountable))) {
    return {
      code: "no-accountable-human",
      reason: `${spec.accountable}, who answers for ${spec.name}, is no longer an active person; name somebody else as accountable`,
    };
  }
  for (const workflow of registry.workflows.values()) {
    if (workflow.agent === spec.name && !isActiveHuman(registry.parties.get(workflow.accountable))) {
      return {
        code: "no-accountable-human",
        reason: `${workflow.accountable}, who answers for the workflow ${workflow.name} of ${spec.name}, is no longer an active person; name somebody else as accountable`,
      };
    }
  }
  return null;
}

/** Only a living human can answer for something. */
export function isActiveHuman(party: PartySpec | undefined): boolean {
  return party !== undefined && party.type === "human" && party.active;
}

function promptOf(spec: AgentSpec, parts: RegistryParts): RegisteredAgent["prompt"] {
  if (spec.promptFile === undefined) return null;
  const text = parts.prompts.get(spec.promptFile);
  return text === undefined ? null : { file: spec.promptFile, text };
}

function named<Spec extends AssetSpec>(parts: RegistryParts, kind: Spec["kind"]): Map<string, Spec> {
  const specs = parts.assets.filter((asset): asset is Spec => asset.kind === kind);
  return new Map(sorted(specs.map((spec): [string, Spec] => [spec.name, spec])));
}

/** By name, so that a registry reads the same whatever order its files came in. */
function sorted<Value>(entries: [string, Value][]): [string, Value][] {
  return entries.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
}
