import type { AgentClosure, AssetSpec, Digest, Json, JsonObject, PolicySpec } from "@remit/contract";
import { canonicalJson } from "../canonical/canonical-json.ts";
import type { PolicySource, RegisteredAgent, Registry, ToolPin } from "./registry.ts";

/** SHA-256 of a text's UTF-8 bytes, in lower-case hexadecimal. */
export type HashText = (text: string) => Digest;

/** The name of a document's version: over its canonical form, so order, white space, comments and stated defaults make no difference. */
export function specDigest(spec: AssetSpec, hash: HashText): Digest {
  return hash(canonicalJson(asJson(spec)));
}

/** A policy set's version: its document and the texts beside it. */
export function policyDigest(spec: PolicySpec, sources: readonly PolicySource[], hash: HashText): Digest {
  return hash(canonicalJson({ spec: asJson(spec), sources: sources.map(({ file, text }) => ({ file, text })) }));
}

/** What is pinned of a tool is named by all three of what its upstream said. */
export function pinDigest(pin: Omit<ToolPin, "digest">, hash: HashText): Digest {
  const { description, inputSchema, outputSchema } = pin;
  return hash(canonicalJson({ description, inputSchema, outputSchema }));
}

/** An agent's version. */
export function closureDigest(closure: AgentClosure, hash: HashText): Digest {
  return hash(canonicalJson(asJson(closure)));
}

/** The digest over everything: two registries with the same digest decide the same. */
export function registryDigest(registry: Omit<Registry, "digest">, hash: HashText): Digest {
  const digests = (specs: ReadonlyMap<string, AssetSpec>) => pick(specs, (spec) => specDigest(spec, hash));
  return hash(
    canonicalJson({
      organisation: asJson(registry.organisation),
      parties: digests(registry.parties),
      teams: digests(registry.teams),
      environments: digests(registry.environments),
      upstreams: digests(registry.upstreams),
      credentials: digests(registry.credentials),
      tools: pick(registry.tools, ({ spec, state, pin }) => ({ spec: specDigest(spec, hash), state, pin: pin?.digest ?? null })),
      agents: pick(registry.agents, ({ version, suspended }: RegisteredAgent) => ({ version, suspended: suspended?.code ?? null })),
      policies: pick(registry.policies, ({ digest }) => digest),
      queues: digests(registry.queues),
      workflows: digests(registry.workflows),
    }),
  );
}

/** A parsed document as the JSON that it came from. Optional members that are absent may be present as `undefined`; JSON has no such thing. */
export function asJson(value: object): JsonObject {
  return Object.fromEntries(Object.entries(value).flatMap(([key, member]) => (member === undefined ? [] : [[key, memberJson(member)]])));
}

function memberJson(value: unknown): Json {
  if (Array.isArray(value)) return value.map(memberJson);
  return typeof value === "object" && value !== null ? asJson(value) : (value as Json);
}

function pick<Value>(map: ReadonlyMap<string, Value>, of: (value: Value) => Json): JsonObject {
  return Object.fromEntries([...map].map(([name, value]) => [name, of(value)]));
}
