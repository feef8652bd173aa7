import type { CredentialSpec, Id, UpstreamSpec } from "@remit/contract";
import { credentialNames, RemitError } from "@remit/contract";
import type { Challenge, CredentialBroker, Lease } from "./broker.ts";

/** For whom a request is made; absent: for the connection itself. */
export type RequestedBy = {
  agent: string;
  run: Id<"run"> | null;
  environment: string;
  person: string;
  actionId: Id<"action">;
};

/** How a connection is let in at its upstream. */
export type Access = {
  /** What a request is sent with; null where the upstream asks for nothing. @throws RemitError: nothing was sent. */
  lease(by: RequestedBy | undefined, signal: AbortSignal): Promise<Lease | null>;
  /** What to send it with once more, after the upstream did not let it in. @throws RemitError where there is no use in that. */
  again(by: RequestedBy | undefined, refused: Lease | null, challenge: Challenge, signal: AbortSignal): Promise<Lease>;
};

/** So often is one request sent before it is given up: without, with what is known, and with what the upstream asked for. */
export const maxAttempts = 3;

/** @param credentials of a specification that is not in force */
export function accessOf(upstream: UpstreamSpec, broker: CredentialBroker, credentials?: ReadonlyMap<string, CredentialSpec>): Access {
  const requestOf = (by: RequestedBy | undefined) => ({
    upstream,
    ...(credentials === undefined ? {} : { credentials }),
    ...(by ?? { agent: null, run: null, environment: null, person: null, actionId: null }),
  });
  return {
    // Most upstreams ask for nothing, and their calls pay nothing for that.
    lease: (by, signal) => (upstream.credential === undefined ? nothing : broker.lease(requestOf(by), signal)),
    async again(by, refused, challenge, signal) {
      const request = requestOf(by);
      const lease = refused !== null && (await broker.challenged(request, refused, challenge)) ? await broker.lease(request, signal) : null;
      if (lease !== null) return lease;
      const names = credentialNames(upstream);
      const hint = names.length === 0 ? "it is registered without a credential" : `it does not take ${names.join(", ")}`;
      throw new RemitError(
        "upstream-error",
        `upstream "${upstream.name}" does not let Remit in (HTTP ${challenge.status}): ${hint}; nothing was done`,
      );
    },
  };
}

const nothing: Promise<null> = Promise.resolve(null);

/** For one connection that is made to look: one lease, given back at the end. */
export function probingAccess(access: Access): Access & { release(): Promise<void> } {
  let shown: Lease | null = null;
  return {
    async lease(by, signal) {
      return (shown ??= await access.lease(by, signal));
    },
    async again(by, refused, challenge, signal) {
      return (shown = await access.again(by, refused, challenge, signal));
    },
    release: async () => await shown?.release(),
  };
}

/** For servers that keep no secrets: what asks for a credential gets nothing. */
export const noBroker: CredentialBroker = {
  lease({ upstream }) {
    if (credentialNames(upstream).length === 0) return Promise.resolve(null);
    return Promise.reject(
      new RemitError("credential-unavailable", `there is nothing to show to upstream "${upstream.name}"; nothing was sent`),
    );
  },
  challenged: () => Promise.resolve(false),
  redact: { text: (text) => text, json: (value) => value },
};
