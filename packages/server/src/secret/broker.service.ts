import { isDeepStrictEqual } from "node:util";
import type { CredentialSpec, NewEntry } from "@remit/contract";
import { credentialNames, RemitError } from "@remit/contract";
import { covers } from "@remit/core";
import type { Registry } from "@remit/core";
import type { Database } from "../database/database.ts";
import type { Halts } from "../halt/halts.ts";
import { newId } from "../id/new-id.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Logger } from "../log/logger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { Backend, Material } from "./backend.ts";
import type { CredentialBroker, Lease, LeaseRequest } from "./broker.ts";
import { secretPathsOf } from "./credential-paths.ts";
import type { KnownSecrets } from "./known-secrets.ts";
import type { LeaseStore } from "./lease.store.ts";
import type { StoredLease, Undo } from "./leases.ts";
import { present, together } from "./presented.ts";
import type { Presented } from "./presented.ts";
import type { SecretStore } from "./secret.store.ts";
import type { Secrets } from "./secrets.ts";
import { orAbort } from "../outbound/or-abort.ts";

export type BrokerOptions = {
  database: Database;
  leases: LeaseStore;
  secretStore: Pick<SecretStore, "newestOf">;
  secrets: Pick<Secrets, "open">;
  backends: Readonly<Record<CredentialSpec["from"]["type"], Backend>>;
  ledger: Pick<Ledger, "append">;
  registry: RegistrySource;
  halts: Pick<Halts, "current">;
  known: KnownSecrets;
  logger: Logger;
  now: () => Date;
  /** Default: 15 minutes. */
  lifetimeMs?: number;
};

export type RunningBroker = CredentialBroker & {
  /** Control state has changed: closes what was taken back, here or elsewhere, and what rests on something that has changed. */
  lookAgain(): Promise<void>;
  /** Ends what this server holds. */
  stop(): Promise<void>;
};

type Held = {
  row: StoredLease;
  lease: Lease;
  request: LeaseRequest;
  credentials: readonly CredentialSpec[];
  rests: Material["rests"];
  secrets: readonly string[];
  end(reason: string, code?: "halted"): void;
  /** What was made for it elsewhere. */
  undos: readonly Undo[];
  timer: NodeJS.Timeout | undefined;
};

const defaultLifetimeMs = 15 * 60_000;
/** A lease that ends so soon is not begun to be used. */
const marginMs = 10_000;
/** What has ended may still be on its way back in an answer. */
const rememberMs = 10 * 60_000;

export function createBroker(options: BrokerOptions): RunningBroker {
  const { database, leases, known, now } = options;
  const lifetimeMs = options.lifetimeMs ?? defaultLifetimeMs;
  const margin = Math.min(marginMs, lifetimeMs / 10);
  const held = new Map<string, Held>();
  const byKey = new Map<string, Promise<Held>>();
  const fading = new Set<NodeJS.Timeout>();
  let stopped = false;

  async function lookAgain(): Promise<void> {
    if (held.size === 0) return;
    const ended = await leases.ended(database, [...held.keys()]);
    const newest = await newestOf([...held.values()].flatMap(({ rests }) => rests));
    const drops: Promise<void>[] = [];
    const registry = registryNow();
    for (const one of held.values()) {
      const reason = ended.get(one.row.id);
      if (reason !== undefined) one.end(reason, "halted");
      else if (one.rests.some(({ path, version }) => newest.get(path) !== version)) drops.push(drop(one, "its secret has a new version"));
      else if (registry !== null && one.request.credentials === undefined && hasChanged(one, registry))
        drops.push(drop(one, "its credential was changed in the registry"));
    }
    await Promise.all(drops);
  }

  /** The version now of everything that these rest on. */
  async function newestOf(rests: Material["rests"]): Promise<Map<string, number>> {
    const paths = [...new Set(rests.map(({ path }) => path))];
    const [stored, granted] = await Promise.all([
      options.secretStore.newestOf(database, paths),
      options.backends["oauth-user"].versionsOf?.(paths) ?? new Map<string, number>(),
    ]);
    return new Map([...stored, ...granted]);
  }

  function hasChanged({ request, credentials }: Held, registry: Registry): boolean {
    const upstream = registry.upstreams.get(request.upstream.name);
    return (
      upstream === undefined ||
      !isDeepStrictEqual(credentialNames(upstream), credentialNames(request.upstream)) ||
      credentials.some((spec) => !isDeepStrictEqual(registry.credentials.get(spec.name), spec))
    );
  }

  /** Null while the control state cannot be confirmed: that says nothing of what is registered, and it is looked at again. */
  function registryNow(): Registry | null {
    try {
      return options.registry.current();
    } catch (error) {
      if (RemitError.is(error) && error.code === "control-state-stale") return null;
      throw error;
    }
  }

  async function drop(one: Held, reason: string): Promise<void> {
    one.end(reason);
    try {
      await leases.end(database, one.row.id, now(), reason);
    } catch (error) {
      // It runs out by itself.
      options.logger.warn({ err: error, lease: one.row.id }, "the end of a lease could not be recorded");
    }
  }

  function specsOf(request: LeaseRequest, names: readonly string[]): CredentialSpec[] {
    // What cannot be confirmed is refused as that, and not as if nobody had registered the credential.
    const registered = request.credentials ?? options.registry.current().credentials;
    return names.map((name) => {
      const spec = registered.get(name);
      if (spec === undefined) throw new RemitError("credential-missing", `there is no credential "${name}"; nothing was sent`);
      return spec;
    });
  }

  function refuseHalted({ upstream, agent, run, environment }: LeaseRequest): void {
    const subject = { upstream: upstream.name, agent: agent ?? "", run, environment: environment ?? "", tool: "", effect: "read" as const };
    const halt = options.halts.current().find(({ mode, scope }) => mode === "halt" && covers(scope, subject));
    if (halt !== undefined) throw new RemitError("halted", `no credential is given out: stopped by people: ${halt.reason}`);
  }

  async function issue(request: LeaseRequest, names: readonly string[]): Promise<Held> {
    if (stopped) throw new RemitError("server-unavailable", "the server is stopping; nothing was sent");
    refuseHalted(request);
    const credentials = specsOf(request, names);
    const issuedAt = now();
    const row: StoredLease = {
      id: newId("lease", issuedAt.getTime()),
      upstream: request.upstream.name,
      credentials: names,
      secrets: [...new Set(credentials.flatMap(secretPathsOf))],
      agent: request.agent,
      run: request.run,
      environment: request.environment,
      person: request.person,
      issuedAt,
      expiresAt: new Date(issuedAt.getTime() + lifetimeMs),
      endedAt: null,
      endedReason: null,
    };
    await database.transaction(async (transaction) => {
      await leases.insert(transaction, row);
      await options.ledger.append(transaction, [leasedEntry(row, request)]);
    });
    const undos: Undo[] = [];
    try {
      const materials = await Promise.all(
        credentials.map((credential) =>
          options.backends[credential.from.type].issue({
            lease: row.id,
            request,
            credential,
            until: row.expiresAt,
            willUndo: async (undo) => {
              await leases.addUndo(database, row.id, undo);
              undos.push(undo);
            },
          }),
        ),
      );
      const presented = await Promise.all(
        credentials.map(async (credential, index) => {
          const ca = credential.use.type === "client-certificate" ? credential.use.ca : undefined;
          return present(credential, materials[index] ?? nothing, ca === undefined ? null : (await options.secrets.open(ca)).value);
        }),
      );
      const expiresAt = new Date(Math.min(row.expiresAt.getTime(), ...materials.flatMap((one) => one.expiresAt?.getTime() ?? [])));
      if (expiresAt < row.expiresAt) await leases.extend(database, row.id, expiresAt);
      return hold({ ...row, expiresAt }, request, credentials, materials, together(presented), undos);
    } catch (error) {
      await leases.end(database, row.id, now(), "it could not be issued").catch(() => undefined);
      if (RemitError.is(error)) throw error;
      // What a library says may hold what it was given.
      options.logger.warn(
        { lease: row.id, upstream: row.upstream, name: error instanceof Error ? error.name : "" },
        "a credential could not be issued",
      );
      throw new RemitError("credential-unavailable", `the credentials of upstream "${row.upstream}" could not be had; nothing was sent`);
    }
  }

  function hold(
    row: StoredLease,
    request: LeaseRequest,
    credentials: readonly CredentialSpec[],
    materials: readonly Material[],
    { headers, query, env, tls, secrets }: Presented,
    undos: readonly Undo[],
  ): Held {
    const ending = new AbortController();
    known.add(secrets);
    const one: Held = {
      row,
      request,
      credentials,
      rests: materials.flatMap(({ rests }) => rests),
      secrets,
      undos,
      timer: undefined,
      end(reason, code) {
        if (!held.delete(row.id)) return;
        // A promise is not compared: whoever finds an ended lease under the key makes another.
        clearTimeout(one.timer);
        fade(secrets);
        ending.abort(
          new RemitError(code ?? "credential-expired", `the credentials of upstream "${row.upstream}" are no longer good: ${reason}`),
        );
      },
      lease: {
        id: row.id,
        headers,
        query,
        env,
        tls,
        redact: known,
        expiresAt: row.expiresAt,
        ended: ending.signal,
        release: async () => {
          if (!held.has(row.id)) return;
          one.end("it was given back");
          await leases.end(database, row.id, now(), "it was given back");
        },
      },
    };
    held.set(row.id, one);
    schedule(one);
    return one;
  }

  /** What a connection was made of is made to last as long as it can; what a call was given ends, and the next call is given another. */
  function schedule(one: Held): void {
    const left = one.lease.expiresAt.getTime() - now().getTime();
    const isConnection = one.request.agent === null;
    one.timer = setTimeout(() => void (isConnection ? renew(one) : one.end("it ran out")), Math.max(0, isConnection ? left / 2 : left));
    one.timer.unref();
  }

  async function renew(one: Held): Promise<void> {
    const until = new Date(now().getTime() + lifetimeMs);
    try {
      const ends = await Promise.all(
        one.credentials.map(
          async (credential) =>
            (await options.backends[credential.from.type].renew?.({
              lease: one.row.id,
              request: one.request,
              credential,
              until,
              undos: one.undos,
            })) ?? null,
        ),
      );
      const expiresAt = ends.includes(null) ? null : new Date(Math.min(until.getTime(), ...ends.flatMap((end) => end?.getTime() ?? [])));
      if (!held.has(one.row.id)) return;
      if (expiresAt !== null && expiresAt > one.lease.expiresAt) {
        if (!(await leases.extend(database, one.row.id, expiresAt))) return one.end("it was taken back", "halted");
        one.lease.expiresAt = expiresAt;
        return schedule(one);
      }
    } catch (error) {
      options.logger.warn(
        { lease: one.row.id, name: error instanceof Error ? error.name : "" },
        "a lease could not be renewed; trying again",
      );
    }
    const left = one.lease.expiresAt.getTime() - now().getTime();
    if (left <= margin) return await drop(one, "it ran out");
    one.timer = setTimeout(() => void renew(one), Math.max(0, Math.min(left - margin, left / 2)));
    one.timer.unref();
  }

  function fade(secrets: readonly string[]): void {
    const timer = setTimeout(() => {
      fading.delete(timer);
      known.forget(secrets);
    }, rememberMs);
    timer.unref();
    fading.add(timer);
  }

  async function lease(request: LeaseRequest, signal: AbortSignal): Promise<Lease | null> {
    const names = credentialNames(request.upstream);
    if (names.length === 0) return null;
    signal.throwIfAborted();
    if (request.credentials !== undefined) return (await issue(request, names)).lease;
    const key = keyOf(request, names);
    for (;;) {
      const found = byKey.get(key);
      const pending = found ?? begin(request, names, key);
      const one = await orAbort(pending, signal);
      // What was made for this caller is the best there is, however soon it ends.
      if (found === undefined || isGood(one)) return one.lease;
      if (byKey.get(key) === found) byKey.delete(key);
    }
  }

  function begin(request: LeaseRequest, names: readonly string[], key: string): Promise<Held> {
    const issued = issue(request, names);
    byKey.set(key, issued);
    issued.catch(() => {
      if (byKey.get(key) === issued) byKey.delete(key);
    });
    return issued;
  }

  function isGood({ lease: { ended, expiresAt } }: Held): boolean {
    return !ended.aborted && expiresAt.getTime() - now().getTime() > margin;
  }

  return {
    lease,
    redact: known,
    lookAgain,

    async challenged(request, { id }, challenge) {
      const one = held.get(id);
      const names = credentialNames(request.upstream);
      const credentials = one?.credentials ?? specsOf(request, names);
      const answers = await Promise.all(
        credentials.map(
          async (credential) =>
            (await options.backends[credential.from.type].challenged?.(request, credential, challenge, one?.rests ?? [])) ?? false,
        ),
      );
      const rotated = one !== undefined && (await hasNewer(one));
      if (one !== undefined && (rotated || answers.includes(true)))
        await drop(one, `the upstream did not take it (HTTP ${challenge.status})`);
      // Somebody else's challenge may have ended it already: then there is another one to try.
      return one === undefined || rotated || answers.includes(true);
    },

    async stop() {
      stopped = true;
      const all = [...held.values()];
      for (const one of all) one.end("the server is stopping");
      for (const timer of fading) clearTimeout(timer);
      const at = now();
      await Promise.all(all.map(({ row }) => leases.end(database, row.id, at, "the server was stopped").catch(() => undefined)));
    },
  };

  async function hasNewer({ rests }: Held): Promise<boolean> {
    const newest = await newestOf(rests);
    return rests.some(({ path, version }) => newest.get(path) !== version);
  }
}

const nothing: Material = { fields: {}, open: [], rests: [], expiresAt: null };

function keyOf({ upstream, agent, run, environment, person }: LeaseRequest, names: readonly string[]): string {
  return [upstream.name, names.join(" "), agent, run, environment, person].join("\n");
}

function leasedEntry(row: StoredLease, request: LeaseRequest): NewEntry {
  return {
    id: newId("entry", row.issuedAt.getTime()),
    type: "credential-leased",
    at: row.issuedAt.toISOString(),
    actor: request.agent === null ? "service:remit" : `agent:${request.agent}`,
    ...(request.actionId === null ? {} : { actionId: request.actionId }),
    ...(request.run === null ? {} : { runId: request.run }),
    data: {
      lease: row.id,
      upstream: row.upstream,
      credentials: [...row.credentials],
      person: row.person,
      environment: row.environment,
      expiresAt: row.expiresAt.toISOString(),
    },
  };
}
