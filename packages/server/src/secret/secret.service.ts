import type { CredentialSpec, NewEntry, SecretView, StoreSecret } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { durationSeconds } from "@remit/core";
import { z } from "zod";
import type { ControlState } from "../control/control-state.ts";
import type { Database, Transaction } from "../database/database.ts";
import { pageOf, positionOf } from "../http/page.ts";
import { newId } from "../id/new-id.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { secretPathsOf } from "./credential-paths.ts";
import type { RevokeLeasesIn } from "./leases.ts";
import { openSecret, sealSecret } from "./secret-envelope.ts";
import type { SecretStore, StoredVersion } from "./secret.store.ts";
import type { Secrets } from "./secrets.ts";

export type SecretOptions = {
  database: Database;
  store: SecretStore;
  masterKey: MasterKey;
  ledger: Pick<Ledger, "append">;
  registry: RegistrySource;
  control: Pick<ControlState, "changed" | "refresh">;
  /** Ends the leases that rest on a secret, in the same transaction. */
  revokeLeases: RevokeLeasesIn;
  now: () => Date;
};

export function createSecrets(options: SecretOptions): Secrets {
  const { database, store, masterKey, ledger } = options;

  function entry(type: NewEntry["type"], actor: string, at: Date, data: NewEntry["data"]): NewEntry {
    return { id: newId("entry", at.getTime()), type, at: at.toISOString(), actor, data };
  }

  /** `exists`: whether there must be a version already. */
  async function insert(transaction: Transaction, { path, value }: StoreSecret, exists: boolean, actor: string, at: Date): Promise<number> {
    // The number first: it holds the path until the end.
    const version = await store.nextVersion(transaction, path);
    if ((await store.versions(transaction, path)).length > 0 !== exists) throw exists ? unknown(path) : taken(path);
    await store.insert(transaction, {
      path,
      version,
      sealed: sealSecret(masterKey, secretPlace(path, version), value),
      createdAt: at,
      createdBy: actor,
    });
    return version;
  }

  async function view(path: string): Promise<SecretView> {
    return viewOf(path, await store.versions(database, path), credentialsOf(options.registry));
  }

  return {
    async set({ path, value }, actor) {
      const at = options.now();
      await database.transaction(async (transaction) => {
        const version = await insert(transaction, { path, value }, false, actor, at);
        await ledger.append(transaction, [entry("secret-stored", actor, at, { path, version })]);
        await options.control.changed(transaction);
      });
      await options.control.refresh();
      return await view(path);
    },

    async rotate({ path, value, overlap }, actor) {
      const at = options.now();
      const destroyAt = new Date(at.getTime() + durationSeconds(overlap) * 1_000);
      await database.transaction(async (transaction) => {
        const version = await insert(transaction, { path, value }, true, actor, at);
        await store.supersede(transaction, path, version, destroyAt);
        await ledger.append(transaction, [entry("secret-rotated", actor, at, { path, version, overlapEnds: destroyAt.toISOString() })]);
        await options.control.changed(transaction);
      });
      await options.control.refresh();
      return await view(path);
    },

    async remove(path, { force }, actor) {
      const at = options.now();
      const usedBy = usersOf(path, credentialsOf(options.registry));
      if (usedBy.length > 0 && !force) {
        throw new RemitError(
          "conflict",
          `${path} is used by ${usedBy.join(", ")}; what they are for will no longer work. To remove it all the same: --force`,
        );
      }
      await database.transaction(async (transaction) => {
        const versions = await store.remove(transaction, path);
        if (versions === 0) throw unknown(path);
        const leases = await options.revokeLeases(transaction, { type: "prefix", name: path }, `the secret ${path} was removed`, actor);
        await ledger.append(transaction, [entry("secret-removed", actor, at, { path, versions, leases })]);
        await options.control.changed(transaction);
      });
      await options.control.refresh();
    },

    async list(query) {
      const after = positionOf(query, z.tuple([z.string()]))?.[0] ?? null;
      const byPath = new Map<string, Omit<StoredVersion, "sealed">[]>();
      for (const version of await store.list(database, { after, limit: query.limit + 1 })) {
        byPath.set(version.path, [...(byPath.get(version.path) ?? []), version]);
      }
      const credentials = credentialsOf(options.registry);
      const page = pageOf([...byPath], query.limit, ([path]) => [path]);
      return { items: page.items.map(([path, versions]) => viewOf(path, versions, credentials)), next: page.next };
    },

    which: async (paths) => new Set((await store.newestOf(database, paths)).keys()),

    async open(path) {
      const stored = await store.newest(database, path);
      if (stored === null)
        throw new RemitError(
          "credential-missing",
          `no secret is kept at ${path}; nothing was sent. Store it with: remit secret set ${path}`,
        );
      return { path, version: stored.version, value: openSecret(masterKey, secretPlace(path, stored.version), stored.sealed) };
    },
  };
}

/** What a version of a secret is sealed as. */
export function secretPlace(path: string, version: number): string {
  return `${path} ${version}`;
}

function viewOf(path: string, versions: readonly Omit<StoredVersion, "sealed">[], credentials: Iterable<CredentialSpec>): SecretView {
  return {
    path,
    version: versions[0]?.version ?? 0,
    versions: versions.map(({ version, createdAt, createdBy, destroyAt }) => ({
      version,
      createdAt: createdAt.toISOString(),
      createdBy,
      destroyAt: destroyAt?.toISOString() ?? null,
    })),
    usedBy: usersOf(path, credentials),
  };
}

function usersOf(path: string, credentials: Iterable<CredentialSpec>): string[] {
  return [...credentials].filter((credential) => secretPathsOf(credential).includes(path)).map(({ name }) => name);
}

/** Before the first registry there are none. */
function credentialsOf(registry: RegistrySource): CredentialSpec[] {
  try {
    return [...registry.current().credentials.values()];
  } catch {
    return [];
  }
}

function taken(path: string): RemitError {
  return new RemitError("conflict", `There is a secret at ${path} already; give it a new version with: remit secret rotate ${path}`);
}

function unknown(path: string): RemitError {
  return new RemitError("not-found", `There is no secret at ${path}; see remit secret list`);
}
