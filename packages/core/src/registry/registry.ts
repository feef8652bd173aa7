import type {
  AgentClosure,
  AgentSpec,
  CredentialSpec,
  Digest,
  EnvironmentSpec,
  JsonObject,
  OrganisationSpec,
  PartySpec,
  PolicySpec,
  QueueSpec,
  TeamSpec,
  ToolSpec,
  UpstreamSpec,
  WorkflowSpec,
} from "@remit/contract";

/** What an upstream said of a tool when somebody accepted it. The digest covers all three. */
export type ToolPin = { description: string; inputSchema: JsonObject; outputSchema: JsonObject | null; digest: Digest };

/**
 * `accepted`: may be called. `changed`: the upstream now says something else, blocked until somebody accepts it.
 * `missing`: the upstream does not offer it (any more), or has not been asked yet.
 */
export type ToolState = "accepted" | "changed" | "missing";

export type RegisteredTool = { qualifiedName: string; spec: ToolSpec; state: ToolState; pin: ToolPin | null };

/** The agent as its active version has it; `version` is the digest of its closure. */
export type RegisteredAgent = {
  spec: AgentSpec;
  prompt: { file: string; text: string } | null;
  closure: AgentClosure;
  version: Digest;
  /** Why it may not act now, or null. */
  suspended: { code: "no-accountable-human" | "agent-suspended"; reason: string } | null;
};

/** One `.cedar` file of a policy set. */
export type PolicySource = { file: string; text: string };

export type RegisteredPolicy = { spec: PolicySpec; digest: Digest; sources: PolicySource[] };

/** The registry as it is in force: immutable; a change makes a new one. */
export type Registry = {
  /** Digest over everything in it. */
  digest: Digest;
  organisation: OrganisationSpec["organisation"];
  parties: ReadonlyMap<string, PartySpec>;
  teams: ReadonlyMap<string, TeamSpec>;
  environments: ReadonlyMap<string, EnvironmentSpec>;
  upstreams: ReadonlyMap<string, UpstreamSpec>;
  credentials: ReadonlyMap<string, CredentialSpec>;
  /** By qualified name. */
  tools: ReadonlyMap<string, RegisteredTool>;
  agents: ReadonlyMap<string, RegisteredAgent>;
  policies: ReadonlyMap<string, RegisteredPolicy>;
  queues: ReadonlyMap<string, QueueSpec>;
  workflows: ReadonlyMap<string, WorkflowSpec>;
};
