import { assetSpecSchema, organisationSpecSchema, policyVersionSchema } from "@remit/contract";
import type { AssetSpec, Digest } from "@remit/contract";
import { canonicalJson } from "../canonical/canonical-json.ts";
import type { RegistryParts } from "./compose-registry.ts";
import { assetName } from "./registry-documents.ts";
import type { PolicySource, Registry } from "./registry.ts";
import { asJson } from "./version-digest.ts";
import type { HashText } from "./version-digest.ts";

/** An immutable version of one thing. Its digest is the hash of exactly `content`, so a row that was tampered with gives itself away. */
export type AssetVersion = { kind: string; name: string; digest: Digest; content: string };

/** The versions that a registry is made of. Together with its tools' heads they are the whole of it. */
export function versionsOf(registry: Registry, hash: HashText): AssetVersion[] {
  const version = (kind: string, name: string, content: string): AssetVersion => ({ kind, name, digest: hash(content), content });
  const ofSpecs = (specs: Iterable<AssetSpec>) =>
    [...specs].map((spec) => version(spec.kind, assetName(spec), canonicalJson(asJson(spec))));
  const { organisation } = registry;
  return [
    version("organisation", organisation.name, canonicalJson(asJson({ apiVersion: "remit/v1", organisation }))),
    ...ofSpecs(registry.parties.values()),
    ...ofSpecs(registry.teams.values()),
    ...ofSpecs(registry.environments.values()),
    ...ofSpecs(registry.upstreams.values()),
    ...ofSpecs(registry.credentials.values()),
    ...ofSpecs([...registry.tools.values()].map(({ spec }) => spec)),
    ...ofSpecs([...registry.agents.values()].map(({ spec }) => spec)),
    ...ofSpecs(registry.queues.values()),
    ...ofSpecs(registry.workflows.values()),
    ...[...registry.policies.values()].map(({ spec, sources }) =>
      version("policy", spec.name, canonicalJson({ spec: asJson(spec), sources: sources.map(({ file, text }) => ({ file, text })) })),
    ),
    ...[...promptsOf(registry)].map(([file, text]) => version("prompt", file, text)),
  ];
}

/** The closure of each agent, kept so that a version that a token or an entry names can be looked up later. */
export function closureVersionsOf(registry: Registry): AssetVersion[] {
  return [...registry.agents.values()].map(({ spec, closure, version }) => ({
    kind: "agent-closure",
    name: spec.name,
    digest: version,
    content: canonicalJson(asJson(closure)),
  }));
}

/**
 * What versions say, without the pins.
 * @throws Error when one is not what its digest says, or cannot be read.
 */
export function partsOf(versions: readonly AssetVersion[], hash: HashText): Omit<RegistryParts, "pins"> {
  const assets: AssetSpec[] = [];
  const policySources = new Map<string, PolicySource[]>();
  const prompts = new Map<string, string>();
  let organisation: RegistryParts["organisation"] | undefined;
  for (const { kind, name, digest, content } of versions) {
    if (hash(content) !== digest) throw new Error(`the stored version of the ${kind} "${name}" is not what its digest ${digest} says`);
    if (kind === "organisation") organisation = organisationSpecSchema.parse(JSON.parse(content)).organisation;
    else if (kind === "prompt") prompts.set(name, content);
    else if (kind === "policy") {
      const policy = policyVersionSchema.parse(JSON.parse(content));
      assets.push(policy.spec);
      policySources.set(policy.spec.name, policy.sources);
    } else assets.push(assetSpecSchema.parse(JSON.parse(content)));
  }
  if (organisation === undefined) throw new Error("the stored registry has no organisation");
  return { organisation, assets, policySources, prompts };
}

function promptsOf(registry: Registry): Map<string, string> {
  return new Map([...registry.agents.values()].flatMap(({ prompt }) => (prompt === null ? [] : [[prompt.file, prompt.text]])));
}
