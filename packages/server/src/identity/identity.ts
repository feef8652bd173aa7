import type { KeyObject } from "node:crypto";
import type { Id } from "@remit/contract";
import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import type { Doorkeeper } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { SigningKey } from "../keys/key-store.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Logger } from "../log/logger.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { createAgentSecrets } from "./agent-secrets.service.ts";
import { registerAgentSecretRoutes } from "./agent-secrets.routes.ts";
import type { AgentSecrets } from "./agent-secrets.service.ts";
import { createAuthorizationServer } from "./authorization-server.ts";
import type { AuthorizationServer } from "./authorization-server.ts";
import { createConsents } from "./consents.service.ts";
import type { Consents } from "./consents.service.ts";
import type { ConsentStore } from "./consent.store.ts";
import { registerConsentRoutes } from "./consents.routes.ts";
import { createCallers } from "./callers.service.ts";
import type { Callers } from "./callers.ts";
import { createFailureLimiter } from "./failure-limiter.ts";
import type { IdentityStore } from "./identity.store.ts";
import { createLogins } from "./logins.service.ts";
import { registerLoginRoutes } from "./logins.routes.ts";
import type { Logins } from "./logins.service.ts";
import type { OAuthRecords } from "./oauth-records.ts";
import { registerOAuthRoutes } from "./oauth.routes.ts";
import { createRefusalRecorder } from "./refusal-recorder.ts";
import { createResource } from "./resource.ts";
import type { Resource } from "./resource.ts";
import { createRevocationList } from "./revocations.ts";
import { csrfTokenOf, sameSecret } from "./secret-token.ts";

export type IdentityOptions = {
  database: Database;
  store: IdentityStore;
  consents: ConsentStore;
  records: OAuthRecords;
  /** Fetches what clients say of themselves. */
  outbound: Outbound;
  /** `masterKey.derive("oauth-cookies")`. */
  cookieKey: KeyObject;
  ledger: Pick<Ledger, "append" | "record">;
  registry: RegistrySource;
  /** Registered on: reloads revocations. Create identity after the registry source, so that the registry is loaded first. */
  control: Pick<ControlState, "changed" | "onChange" | "refresh">;
  /** `signingKey("tokens", "ES256")` of the key store. */
  tokenKey: SigningKey;
  /** See openMachineKey. */
  machineKey: string;
  publicUrl: URL;
  logger: Logger;
  now: () => Date;
};

/** Who is asking, agents and people. */
export type Identity = {
  callers: Callers;
  secrets: AgentSecrets;
  logins: Logins;
  consents: Consents;
  /** What the HTTP app asks of identity. */
  doorkeeper: Doorkeeper;
  resource: Resource;
  authorizationServer: AuthorizationServer;
  registry: RegistrySource;
  publicUrl: URL;
  /** Take tokens back, on every server within a second. */
  revokeToken(tokenId: Id<"token">, reason: string): Promise<void>;
  revokeRun(runId: Id<"run">, reason: string): Promise<void>;
  revokeAgent(agent: string, reason: string): Promise<void>;
  /** Records refusals that are still only counted. */
  flush(): Promise<void>;
  /** Flushes for the last time. Call it before the ledger stops. */
  stop(): Promise<void>;
};

export function createIdentity(options: IdentityOptions): Identity {
  const { database, control, store, now } = options;
  const nowMs = () => now().getTime();
  const resource = createResource(options.publicUrl);
  const refusals = createRefusalRecorder(options);
  const failures = () => createFailureLimiter({ limit: 20, windowMs: 60_000, nowMs });
  const revocations = createRevocationList({ store, now });
  control.onChange(() => revocations.reload());

  const secrets = createAgentSecrets({ ...options, revocations, resource });
  const logins = createLogins({ ...options, refusals, failures: failures() });
  const callers = createCallers({ ...options, revocations, resource, refusals });
  const consents = createConsents({ ...options, store: options.consents, revocations });
  const authorizationServer = createAuthorizationServer({
    ...options,
    revocations,
    secrets,
    resource,
    refusals,
    consents,
    cookieKey: options.cookieKey.export().toString("base64url"),
    failures: failures(),
  });

  async function revoke(kind: "token" | "run" | "agent", name: string, reason: string): Promise<void> {
    await database.transaction(async (transaction) => {
      await revocations.revoke(transaction, kind, name, reason);
      await control.changed(transaction);
    });
    await control.refresh();
  }

  return {
    callers,
    secrets,
    logins,
    consents,
    resource,
    authorizationServer,
    registry: options.registry,
    publicUrl: options.publicUrl,
    doorkeeper: {
      person: (token) => logins.person(token),
      isMachine: (key) => sameSecret(key, options.machineKey),
      csrfToken: csrfTokenOf,
      isCsrfToken: (session, token) => sameSecret(csrfTokenOf(session), token),
      refused: ({ actor, code, reason, method, route }) =>
        void refusals.note({ type: "access-refused", actor, code, reason: `${method} ${route}: ${reason}` }),
    },
    revokeToken: (tokenId, reason) => revoke("token", tokenId, reason),
    revokeRun: (runId, reason) => revoke("run", runId, reason),
    revokeAgent: (agent, reason) => revoke("agent", agent, reason),
    flush: () => refusals.flush(),
    stop: () => refusals.stop(),
  };
}

/** Login, sessions, agents' secrets, OAuth. */
export function registerIdentityRoutes(app: App, identity: Identity): void {
  registerLoginRoutes(app, identity);
  registerAgentSecretRoutes(app, identity);
  registerOAuthRoutes(app, identity);
  registerConsentRoutes(app, identity);
}
