import type { AgentClaims, Caller, ErrorCode, RunBinding } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { admit, spiffeId } from "@remit/core";
import type { Admission, Registry, Revocations } from "@remit/core";
import type { SigningKey } from "../keys/key-store.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { newId } from "../id/new-id.ts";
import { readAgentToken, signAgentToken, tokenLifetimeSeconds } from "./agent-token.ts";
import type { TokenReading } from "./agent-token.ts";
import type { Callers } from "./callers.ts";
import { unknownActor } from "../http/doorkeeper.ts";
import type { Refusal, RefusalRecorder } from "./refusal-recorder.ts";
import type { Resource } from "./resource.ts";
import type { RevocationList } from "./revocations.ts";
import type { KnownToken } from "./token-cache.ts";
import { createTokenCache } from "./token-cache.ts";

export function createCallers(options: {
  registry: RegistrySource;
  revocations: RevocationList;
  tokenKey: SigningKey;
  resource: Resource;
  ledger: Pick<Ledger, "record">;
  refusals: RefusalRecorder;
  now: () => Date;
}): Callers {
  const cache = createTokenCache({ nowMs: () => options.now().getTime() });

  async function read(token: string): Promise<KnownToken | Exclude<TokenReading, { type: "read" }>> {
    const reading = await readAgentToken(token, options.tokenKey, options.resource, options.now());
    if (reading.type === "refused") return reading;
    const known: KnownToken = { ...reading, last: null };
    cache.set(token, known);
    return known;
  }

  /** What tokens were last judged by. Counted, so that no token keeps a registry that has been replaced. */
  let basis: { registry: Registry | null; revocations: Revocations | null; asOf: number } = { registry: null, revocations: null, asOf: 0 };

  /** Asked for every request. Registry and revocations are replaced whole, never changed: of the same two the answer is the same. */
  function admissionOf(known: KnownToken): Admission {
    const registry = options.registry.current();
    const revocations = options.revocations.current();
    if (registry !== basis.registry || revocations !== basis.revocations) basis = { registry, revocations, asOf: basis.asOf + 1 };
    if (known.last?.asOf !== basis.asOf) known.last = { asOf: basis.asOf, admission: admit(registry, revocations, known.claims) };
    return known.last.admission;
  }

  async function refuse(refusal: Omit<Refusal, "type" | "code"> & { code: ErrorCode }): Promise<never> {
    await options.refusals.note({ type: "token-refused", ...refusal });
    throw new RemitError(refusal.code, refusal.reason);
  }

  return {
    async verify(token, resource) {
      const reading = options.resource.isGateway(resource) ? (cache.get(token) ?? (await read(token))) : forAnother;
      if (reading.type === "refused") {
        const { code, reason, agent } = reading;
        return refuse({ actor: agent === null ? unknownActor : `agent:${agent}`, code, reason });
      }
      const { claims } = reading;
      const admission = admissionOf(reading);
      if (admission.type === "admitted") return admission.caller;
      return refuse({
        actor: `agent:${claims.agent}`,
        code: admission.code,
        reason: admission.reason,
        data: { tokenId: claims.jti, version: claims.version },
        ...(claims.run === null ? {} : { runId: claims.run.id }),
      });
    },

    async issueForRun(caller) {
      const now = options.now();
      const claims = runClaims(caller, now, options);
      const admission = admit(options.registry.current(), options.revocations.current(), claims);
      if (admission.type === "refused") throw new RemitError(admission.code, admission.reason);
      const token = await signAgentToken(claims, options.tokenKey);
      await options.ledger.record(tokenIssued(claims, now));
      return { token, expiresAt: new Date(claims.exp * 1000) };
    },
  };
}

const forAnother = { type: "refused", code: "unauthenticated", reason: "The token is for another resource", agent: null } as const;

function runClaims(
  caller: Omit<Caller, "tokenId" | "expiresAt" | "run"> & { run: RunBinding },
  now: Date,
  options: { registry: RegistrySource; resource: Resource },
): AgentClaims {
  const iat = Math.floor(now.getTime() / 1000);
  const exp = Math.min(iat + tokenLifetimeSeconds, Math.floor(caller.run.deadline / 1000));
  if (exp <= iat) throw new RemitError("run-ended", "The run is past its deadline");
  return {
    iss: options.resource.issuer,
    aud: options.resource.audience,
    sub: spiffeId(options.registry.current(), caller.agent, caller.version),
    client_id: caller.agent,
    iat,
    exp,
    jti: newId("token", now.getTime()),
    scope: `mcp env:${caller.environment} policy:${caller.policy} run:${caller.run.id}`,
    agent: caller.agent,
    version: caller.version,
    accountable: caller.accountable,
    environment: caller.environment,
    policy: caller.policy,
    secret: null,
    consent: null,
    run: caller.run,
  };
}

/** The entry about a token that is handed out. It is durable before the token leaves. */
export function tokenIssued(claims: AgentClaims, at: Date): Parameters<Ledger["record"]>[0] {
  return {
    id: newId("entry", at.getTime()),
    type: "token-issued",
    at: at.toISOString(),
    actor: `agent:${claims.agent}`,
    ...(claims.run === null ? {} : { runId: claims.run.id }),
    data: {
      tokenId: claims.jti,
      version: claims.version,
      accountable: claims.accountable,
      environment: claims.environment,
      policy: claims.policy,
      scope: claims.scope,
      audience: claims.aud,
      expiresAt: new Date(claims.exp * 1000).toISOString(),
      secret: claims.secret,
      ...(claims.consent === null ? {} : { consent: claims.consent, client: claims.client_id }),
    },
  };
}
