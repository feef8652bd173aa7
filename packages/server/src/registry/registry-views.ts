import type { AgentView, RegistryView, ToolView } from "@remit/contract";
import type { RegisteredAgent, RegisteredTool, Registry } from "@remit/core";
import type { LoadedRegistry } from "./loaded-registry.ts";

export function viewRegistry({ registry, revision }: LoadedRegistry): RegistryView {
  const { organisation, digest, parties, teams, environments, upstreams, credentials, tools, agents, policies, queues, workflows } =
    registry;
  const maps = { parties, teams, environments, upstreams, credentials, tools, agents, policies, queues, workflows };
  return {
    digest,
    revision: revision.number,
    appliedAt: revision.appliedAt.toISOString(),
    appliedBy: revision.appliedBy,
    organisation: { ...organisation, guard: organisation.guard ?? null },
    counts: Object.fromEntries(Object.entries(maps).map(([kind, map]) => [kind, map.size])),
  };
}

export function viewAgent({ spec, version, closure, suspended }: RegisteredAgent, registry: Registry): AgentView {
  const tools = spec.tools.flatMap((name) => {
    const tool = registry.tools.get(name);
    return tool === undefined ? [] : [{ tool: name, effect: tool.spec.effect, state: tool.state }];
  });
  return { spec, version, closure, suspended, tools };
}

export function viewTool({ qualifiedName, spec, state, pin }: RegisteredTool): ToolView {
  return { tool: qualifiedName, spec, state, pinDigest: pin?.digest ?? null, description: pin?.description ?? null };
}
