import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import type { Halts } from "../halt/halts.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Logger } from "../log/logger.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { Backend } from "./backend.ts";
import { createBroker } from "./broker.service.ts";
import type { RunningBroker } from "./broker.service.ts";
import type { GrantStore } from "./grant.store.ts";
import { createGrants } from "./grants.service.ts";
import type { Grants } from "./grants.service.ts";
import type { KnownSecrets } from "./known-secrets.ts";
import { createDatabaseLogins } from "./database-logins.ts";
import { startLeaseClock } from "./lease-clock.ts";
import type { LeaseClock } from "./lease-clock.ts";
import { createLeases } from "./lease.service.ts";
import type { LeaseStore } from "./lease.store.ts";
import type { Leases } from "./leases.ts";
import { createOAuthBackend } from "./oauth-backend.ts";
import { createSecrets } from "./secret.service.ts";
import type { SecretStore } from "./secret.store.ts";
import type { Secrets } from "./secrets.ts";
import { createStoredBackend } from "./stored-backend.ts";
import { createTokenKeeper } from "./token-keeper.ts";
import { createVaultBackend } from "./vault-backend.ts";

export type CredentialsOptions = {
  database: Database;
  stores: { secrets: SecretStore; leases: LeaseStore; grants: GrantStore };
  masterKey: MasterKey;
  ledger: Pick<Ledger, "append">;
  registry: RegistrySource;
  halts: Pick<Halts, "current">;
  control: Pick<ControlState, "changed" | "refresh">;
  known: KnownSecrets;
  outbound: Outbound;
  /** Where people and authorization servers reach this server: known once it listens. */
  publicUrl: () => URL;
  /** Told after somebody has consented: the upstream is worth another attempt at once. */
  onConnected?: (upstream: string) => void;
  logger: Logger;
  now: () => Date;
  lifetimeMs?: number;
  clockEveryMs?: number;
};

/** Everything about what upstreams are shown: where it is kept, who may use it now, and what gives it out. */
export type Credentials = {
  secrets: Secrets;
  leases: Leases;
  grants: Grants;
  broker: RunningBroker;
  clock: LeaseClock;
  stop(): Promise<void>;
};

export function createCredentials(options: CredentialsOptions): Credentials {
  const { database, stores, ledger, control, registry, logger, now } = options;
  const leases = createLeases({ database, store: stores.leases, ledger, control, now });
  const secrets = createSecrets({
    database,
    store: stores.secrets,
    masterKey: options.masterKey,
    ledger,
    registry,
    control,
    revokeLeases: leases.revokeIn,
    now,
  });
  const keeper = createTokenKeeper({
    database,
    store: stores.grants,
    secrets,
    masterKey: options.masterKey,
    outbound: options.outbound,
    publicUrl: options.publicUrl,
    now,
  });
  const grants = createGrants({
    database,
    store: stores.grants,
    keeper,
    masterKey: options.masterKey,
    ledger,
    registry,
    control,
    known: options.known,
    ...(options.onConnected === undefined ? {} : { onConnected: options.onConnected }),
    now,
  });
  const stored = createStoredBackend({ secrets });
  const oauth = createOAuthBackend({ database, store: stores.grants, keeper, ledger, known: options.known, now });
  const backends: Record<"secret" | "oauth-client" | "oauth-user" | "postgres" | "vault", Backend> = {
    secret: stored,
    "oauth-client": oauth,
    "oauth-user": oauth,
    postgres: createDatabaseLogins({ secrets, now }),
    vault: createVaultBackend({ secrets, now }),
  };
  const broker = createBroker({
    database,
    leases: stores.leases,
    secretStore: stores.secrets,
    secrets,
    backends,
    ledger,
    registry,
    halts: options.halts,
    known: options.known,
    logger,
    now,
    ...(options.lifetimeMs === undefined ? {} : { lifetimeMs: options.lifetimeMs }),
  });
  const clock = startLeaseClock({
    database,
    leases: stores.leases,
    secretStore: stores.secrets,
    backends,
    lookAgain: () => broker.lookAgain(),
    now,
    onError: (error, lease) =>
      logger.error({ lease, reason: options.known.text(String(error)) }, "what was made for a lease could not be taken back; trying again"),
    ...(options.clockEveryMs === undefined ? {} : { everyMs: options.clockEveryMs }),
  });
  return {
    secrets,
    leases,
    grants,
    broker,
    clock,
    async stop() {
      await broker.stop();
      await clock.stop();
    },
  };
}
