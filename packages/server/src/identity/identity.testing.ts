import type { AgentClaims, EntryType, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Registry } from "@remit/core";
import { buildRegistry } from "@remit/core/testing";
import { pino } from "pino";
import { createControlState } from "../control/control-state.postgres.ts";
import type { RunningControlState } from "../control/control-state.postgres.ts";
import type { Database } from "../database/database.ts";
import { openTestDatabase } from "../database/testing.ts";
import type { TestDatabase } from "../database/testing.ts";
import { createHttpApp } from "../http/http-app.ts";
import type { App } from "../http/http-app.ts";
import type { SigningKey } from "../keys/key-store.ts";
import { startLedger } from "../ledger/ledger.testing.ts";
import { createIdentity, registerIdentityRoutes } from "./identity.ts";
import type { Identity } from "./identity.ts";
import { createMasterKey } from "../keys/master-key.ts";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { createConsentStore } from "./consent.postgres.ts";
import { createIdentityStore } from "./identity.postgres.ts";
import { createOAuthRecords } from "./oauth-records.postgres.ts";
import { newSecret } from "./secret-token.ts";

export type TestIdentity = TestDatabase & {
  identity: Identity;
  app: App;
  /** Another server on the same database; it ends with this one. */
  another(): Promise<{ app: App }>;
  control: RunningControlState;
  tokenKey: SigningKey;
  machineKey: string;
  /** Lines of the log. */
  logged: string[];
  /** Moves the clock. */
  later(ms: number): void;
  now(): Date;
  /** From now on the registry cannot be confirmed. */
  goStale(): void;
  /** Puts another registry in force, as an apply does. */
  apply(registry: Registry): Promise<void>;
  /** Entries of these types, oldest first, as they are in the ledger's rows. */
  entries(...types: EntryType[]): Promise<{ type: string; actor: string; data: JsonObject; runId: string | null; body: string }[]>;
  /** A session of this person. */
  login(party: string): Promise<string>;
  /** Client credentials for an agent, with a secret made for it. */
  token(scope?: string): Promise<string>;
  /** The claims of a good token of the default agent, for tests that sign their own. */
  claims(more?: Partial<AgentClaims>): AgentClaims;
};

export const testPublicUrl = new URL("http://localhost:4680");
export const testAudience = "http://localhost:4680/mcp";

/** What identity needs besides, where it does not matter what. */
export function oauthParts(database: Database) {
  return {
    consents: createConsentStore(database),
    records: createOAuthRecords(database),
    outbound: createOutbound(),
    cookieKey: createMasterKey(Buffer.alloc(32, 1)).derive("oauth-cookies"),
  };
}

/** Identity as a server has it: a real database, ledger, control state and HTTP app; the clock and the registry are the test's. */
export async function openTestIdentity(first: Registry = buildRegistry(), more: { outbound?: Outbound } = {}): Promise<TestIdentity> {
  const test = await openTestDatabase();
  const { keys, ledger, sequencer } = startLedger(test.database, { leaseMs: 1_000 });
  let registry = first;
  let inForce = first;
  let isStale = false;
  // The true time, which is oidc-provider's too, moved by what the test wants; and never the same twice, so that entries have an order.
  let offset = 0;
  let last = 0;
  const now = () => {
    const time = Date.now() + offset;
    last = time <= last && last - time < 1_000 ? last + 1 : time;
    return new Date(last);
  };
  const control = createControlState({ database: test.database, monotonicMs: () => performance.now(), onError: () => undefined });
  control.onChange(async () => void (inForce = registry));
  const logged: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => void logged.push(line) });
  const tokenKey = await keys.signingKey("tokens", "ES256");
  const machineKey = newSecret("machine");
  const servers: { identity: Identity; app: App }[] = [];
  async function serve() {
    const identity = createIdentity({
      database: test.database,
      store: createIdentityStore(test.database),
      ...oauthParts(test.database),
      ...more,
      ledger,
      registry: {
        current() {
          if (isStale) throw new RemitError("control-state-stale", "the control state cannot be confirmed");
          return inForce;
        },
      },
      control,
      tokenKey,
      machineKey,
      publicUrl: testPublicUrl,
      logger,
      now,
    });
    const app = await createHttpApp({ logger, publicUrl: testPublicUrl, doorkeeper: identity.doorkeeper });
    registerIdentityRoutes(app, identity);
    servers.push({ identity, app });
    return { identity, app };
  }
  const { identity, app } = await serve();
  await control.start();
  const iat = () => Math.floor((Date.now() + offset) / 1000);

  return {
    ...test,
    identity,
    app,
    another: serve,
    control,
    tokenKey,
    machineKey,
    logged,
    now,
    goStale: () => void (isStale = true),
    later: (ms) => void (offset += ms),
    async apply(next) {
      registry = next;
      await test.database.transaction((transaction) => control.changed(transaction));
      await control.refresh();
    },
    async entries(...types) {
      await identity.flush();
      const rows = await test.superuser.query<{ type: string; actor: string; run_id: string | null; body: string }>(
        "SELECT type, actor, run_id, convert_from(body, 'utf8') AS body FROM ledger_entry ORDER BY at, id",
      );
      return rows
        .filter(({ type }) => types.length === 0 || types.some((wanted) => wanted === type))
        .map(({ type, actor, run_id, body }) => ({
          type,
          actor,
          runId: run_id,
          body,
          data: (JSON.parse(body) as { data: JsonObject }).data,
        }));
    },
    async login(party) {
      const { url } = await identity.logins.issueLink(party, "service:machine");
      return (await identity.logins.start(url, "test")).token;
    },
    async token(scope) {
      const { clientId, clientSecret } = await identity.secrets.issue("support-agent", { expiresInDays: 1, actor: "party:ada" });
      const response = await app.inject({
        method: "POST",
        url: "/oidc/token",
        headers: {
          authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`,
          "content-type": "application/x-www-form-urlencoded",
        },
        payload: new URLSearchParams({ grant_type: "client_credentials", resource: testAudience, ...(scope ? { scope } : {}) }).toString(),
      });
      return response.json<{ access_token: string }>().access_token;
    },
    claims: (more = {}) => ({
      iss: "http://localhost:4680/oidc",
      aud: testAudience,
      sub: "spiffe://acme.example/agent/support-agent/x",
      client_id: "support-agent",
      iat: iat(),
      exp: iat() + 300,
      jti: `tok_${"1".repeat(32)}` as AgentClaims["jti"],
      scope: "mcp",
      agent: "support-agent",
      version: inForce.agents.get("support-agent")?.version ?? "",
      accountable: "ada",
      environment: "dev",
      policy: "customer_support_tier1_v3",
      secret: null,
      consent: null,
      run: null,
      ...more,
    }),
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) await server.app.close();
      await control.stop();
      for (const server of servers) await server.identity.stop();
      await ledger.close();
      await sequencer.stop();
      await test[Symbol.asyncDispose]();
    },
  };
}
