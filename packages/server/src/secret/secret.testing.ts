import type { CredentialSpec, JsonObject, UpstreamSpec } from "@remit/contract";
import { credentialSpecSchema, upstreamSpecSchema } from "@remit/contract";
import type { Halt, Registry } from "@remit/core";
import { buildRegistry } from "@remit/core/testing";
import { pino } from "pino";
import { createControlState } from "../control/control-state.postgres.ts";
import type { RunningControlState } from "../control/control-state.postgres.ts";
import { openTestDatabase } from "../database/testing.ts";
import type { TestDatabase } from "../database/testing.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import { startLedger, testId, testMasterKey } from "../ledger/ledger.testing.ts";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import type { RequestedBy } from "./access.ts";
import type { LeaseRequest } from "./broker.ts";
import { createCredentials } from "./credentials.ts";
import type { Credentials, CredentialsOptions } from "./credentials.ts";
import { grantStore } from "./grant.postgres.ts";
import { createKnownSecrets } from "./known-secrets.ts";
import type { KnownSecrets } from "./known-secrets.ts";
import { leaseStore } from "./lease.postgres.ts";
import { secretStore } from "./secret.postgres.ts";

export type TestCredentials = TestDatabase &
  Credentials &
  LedgerParts & {
    control: RunningControlState;
    known: KnownSecrets;
    /** Lines of the log, redacted as a server's are. */
    logged: string[];
    now(): Date;
    later(ms: number): void;
    apply(next: { upstreams: UpstreamSpec[]; credentials: CredentialSpec[] }): Promise<void>;
    halt(halts: Halt[]): void;
    upstream(name: string): UpstreamSpec;
    entries(): Promise<{ type: string; actor: string; data: JsonObject }[]>;
    /** Another server on the same database. */
    another(): Credentials & { known: KnownSecrets };
  };

export function testCredential(name: string, from: object, use: object): CredentialSpec {
  return credentialSpecSchema.parse({ kind: "credential", name, owner: "ada", from, use });
}

export function testUpstream(name: string, credential: string | string[], more: object = {}): UpstreamSpec {
  const transport = { type: "http", url: "http://127.0.0.1:1/mcp" };
  return upstreamSpecSchema.parse({ kind: "upstream", name, owner: "ada", transport, credential, ...more });
}

export async function openTestCredentials(
  upstreams: UpstreamSpec[],
  credentials: CredentialSpec[],
  more: Partial<CredentialsOptions> = {},
): Promise<TestCredentials> {
  const test = await openTestDatabase();
  const parts = startLedger(test.database, { leaseMs: 1_000 });
  const control = createControlState({ database: test.database, monotonicMs: () => performance.now(), onError: () => undefined });
  let registry: Registry = buildRegistry({ upstreams, credentials });
  let halts: Halt[] = [];
  let offset = 0;
  const now = () => new Date(Date.now() + offset);
  const logged: string[] = [];
  const servers: Credentials[] = [];

  function serve(): Credentials & { known: KnownSecrets } {
    const known = createKnownSecrets();
    const logger = pino({ level: "trace" }, { write: (line: string) => void logged.push(known.text(line)) });
    const server = createCredentials({
      database: test.database,
      stores: { secrets: secretStore, leases: leaseStore, grants: grantStore },
      outbound: createOutbound({ allow: ["127.0.0.0/8", "::1/128"] }),
      publicUrl: () => new URL("http://127.0.0.1:4680"),
      masterKey: testMasterKey,
      ledger: parts.ledger,
      registry: { current: () => registry },
      halts: { current: () => halts },
      control,
      known,
      logger,
      now,
      clockEveryMs: 3_600_000,
      ...more,
    });
    control.onChange(() => server.broker.lookAgain());
    servers.push(server);
    return { ...server, known };
  }

  const first = serve();
  await control.start();
  return {
    ...test,
    ...parts,
    ...first,
    control,
    logged,
    now,
    later: (ms) => void (offset += ms),
    async apply(next) {
      registry = buildRegistry(next);
      await test.database.transaction((transaction) => control.changed(transaction));
      await control.refresh();
    },
    halt: (next) => void (halts = next),
    upstream(name) {
      const found = registry.upstreams.get(name);
      if (found === undefined) throw new Error(`no upstream ${name}`);
      return found;
    },
    async entries() {
      const rows = await test.superuser.query<{ body: string }>(
        "SELECT convert_from(body, 'UTF8') AS body FROM ledger_entry ORDER BY ctid",
      );
      return rows.map(({ body }) => {
        const event = JSON.parse(body) as { type: string; actor: string; data: JsonObject };
        return { type: event.type.replace("remit.", ""), actor: event.actor, data: event.data };
      });
    },
    another: serve,
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) await server.stop();
      await control.stop();
      await parts.ledger.close();
      await parts.sequencer.stop();
      await test[Symbol.asyncDispose]();
    },
  };
}

export function testBy(more: Partial<RequestedBy> = {}): RequestedBy {
  return {
    agent: "support-agent",
    run: testId("run"),
    environment: "production",
    person: "ada",
    actionId: testId("action"),
    ...more,
  };
}

export function requestOf(upstream: UpstreamSpec, by: RequestedBy | null = testBy()): LeaseRequest {
  return { upstream, ...(by ?? { agent: null, run: null, environment: null, person: null, actionId: null }) };
}

/** A signal that no test should see aborted. */
export const patient = (): AbortSignal => AbortSignal.timeout(50_000);
