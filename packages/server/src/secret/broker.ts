import type { CredentialSpec, Id, UpstreamSpec } from "@remit/contract";

/** Who wants to reach an upstream. Everything but the upstream is null for the connection itself, which all agents share. */
export type LeaseRequest = {
  upstream: UpstreamSpec;
  /** Null: those of the registry in force. Only a specification that is probed before it is in force brings its own. */
  credentials?: ReadonlyMap<string, CredentialSpec>;
  agent: string | null;
  run: Id<"run"> | null;
  environment: string | null;
  /** Who answers for the agent: whose grant is used where the upstream knows people. */
  person: string | null;
  actionId: Id<"action"> | null;
};

/** One right to use an upstream's credentials for a while. What it holds is secret: it is not logged, recorded or returned. */
export type Lease = {
  id: Id<"lease">;
  /** Names are lower case. */
  headers: Readonly<Record<string, string>>;
  /** Added to the query of the URL. */
  query: Readonly<Record<string, string>>;
  /** Added to the environment of a stdio child. */
  env: Readonly<Record<string, string>>;
  /** PEM, for HTTP upstreams that ask for a client certificate. */
  tls: { certificate: string; key: string; ca: string | null } | null;
  /** Replaces every form of what it holds in what the upstream says. Give it whatever the upstream has said, before anybody else sees it. */
  redact: Redact;
  expiresAt: Date;
  /**
   * Aborted when it has ended: whoever still holds something made of it closes that, with the reason's code `halted` at once (it was
   * taken back), with any other as soon as what is under way has ended (there is another one to be had).
   */
  ended: AbortSignal;
  /** Says that it is no longer needed. */
  release(): Promise<void>;
};

/** Known secrets out of what others say. */
export type Redact = {
  text: (text: string) => string;
  /** Strings and names of members, at every depth; the same value where there is nothing to redact. */
  json: <Value>(value: Value) => Value;
};

/** Nobody was let in: what the upstream said to that. */
export type Challenge = { status: 401 | 403; wwwAuthenticate: string | null };

/** Gives upstreams what they ask of whoever calls them. Agents never see it. */
export type CredentialBroker = {
  /**
   * Null: the upstream asks for nothing. Calls of the same agent and run get the same lease until it ends.
   * @throws RemitError `credential-missing` (nothing is stored, or nobody has connected it: the message names the command) |
   *   `credential-expired` | `credential-unavailable`. Nothing was sent to the upstream.
   */
  lease(request: LeaseRequest, signal: AbortSignal): Promise<Lease | null>;
  /**
   * The upstream did not let the lease in. True: another lease may be, so ask for one and send once more. False: it is no use.
   * @throws RemitError as `lease`, where somebody has to do something first.
   */
  challenged(request: LeaseRequest, lease: Lease, challenge: Challenge): Promise<boolean>;
  /** Every secret that this process has opened. */
  redact: Redact;
};
