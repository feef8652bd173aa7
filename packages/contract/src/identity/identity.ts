import type { Digest, Id } from "../id/id.ts";
import type { Role } from "../registry/asset.ts";

/** An agent whose token has been verified. Everything that the action path needs to know of who is asking. */
export type Caller = {
  agent: string;
  /** The closure digest of the agent's version that the token was issued to. */
  version: Digest;
  accountable: string;
  environment: string;
  /** The policy set that decides, besides the organisation's guard. */
  policy: string;
  /** Policies of the agent that the token carries besides. Each call is judged by one; left out where there are none. */
  furtherPolicies?: readonly string[];
  run: RunBinding | null;
  tokenId: string;
  /** When the token ends, milliseconds since 1970. */
  expiresAt: number;
};

/** What a run's token carries besides. It can only narrow what the agent may do. */
export type RunBinding = {
  id: Id<"run">;
  workflow: string;
  queue: string | null;
  /** What it works on, in words: the item's subject. */
  subject: string | null;
  maxActions: number;
  /** When the run must have ended, milliseconds since 1970. */
  deadline: number;
  /** Tools (own or qualified names) that wait for a person in this run, whatever policy says. */
  requireApproval: string[];
  /** The team that is asked for those. */
  approvers: string;
  /** `service.name` of the spans of this run. */
  serviceName: string | null;
};

/** A person with a live session. */
export type Person = {
  party: string;
  roles: Role[];
  sessionId: Id<"session">;
  /** Who made the one-time link of this session: `service:machine` or a party. Counted as the same person by separation of duties. */
  linkedBy: string;
};

/** Scope of tokens for the gateway. */
export const gatewayScope = "mcp";
