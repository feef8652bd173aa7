import {
  type EntryType,
  type FaultView,
  type Id,
  type IdKind,
  type NewEntry,
  type Person,
  qualifiedToolName,
  RemitError,
} from "@remit/contract";
import { type Fault, type Registry, didYouMean, durationSeconds, mayRelease } from "@remit/core";
import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { FaultStore, StoredFault } from "./fault.store.ts";
import type { FaultService } from "./faults.ts";

export type FaultOptions = {
  database: Database;
  store: FaultStore;
  ledger: Pick<Ledger, "append">;
  control: Pick<ControlState, "changed" | "onChange" | "refresh">;
  registry: { current(): Registry };
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
};

const longestSeconds = 24 * 3_600;
const listed = 200;

export function createFaults(options: FaultOptions): FaultService {
  const { database, store, ledger, control, registry, now, newId } = options;
  let current: readonly Fault[] = [];

  control.onChange(async () => {
    current = (await store.standing(database, now())).flatMap((fault) => {
      const { id, environment, upstream, tool, kind, percent, delayMs, expiresAt, confirmedBy } = fault;
      if (expiresAt === null) return [];
      return [{ id, environment, upstream, tool, kind, percent, delayMs, expiresAt: expiresAt.getTime(), confirmed: confirmedBy !== null }];
    });
  });

  const entry = (type: EntryType, fault: StoredFault, person: Person): NewEntry => ({
    id: newId("entry"),
    type,
    at: now().toISOString(),
    actor: `party:${person.party}`,
    data: {
      faultId: fault.id,
      environment: fault.environment,
      upstream: fault.upstream,
      ...(fault.tool === null ? {} : { tool: qualifiedToolName(fault.upstream, fault.tool) }),
      kind: fault.kind,
      percent: fault.percent,
      delayMs: fault.delayMs,
      reason: fault.reason,
      expiresAt: fault.expiresAt?.toISOString() ?? null,
      linkedBy: person.linkedBy,
    },
  });

  function isProduction(environment: string): boolean {
    // What is not known to be something else is production.
    return (registry.current().environments.get(environment)?.type ?? "production") === "production";
  }

  function check(asked: { environment: string; upstream: string; tool?: string | undefined }): void {
    const { environments, upstreams, tools } = registry.current();
    const known = (kind: string, name: string, names: Iterable<string>): void => {
      const all = [...names];
      if (!all.includes(name)) throw new RemitError("invalid-request", `There is no ${kind} "${name}"${didYouMean(name, all)}`);
    };
    known("environment", asked.environment, environments.keys());
    known("upstream", asked.upstream, upstreams.keys());
    if (asked.tool !== undefined) known("tool", qualifiedToolName(asked.upstream, asked.tool), tools.keys());
  }

  function end(lastsSeconds: number): Date {
    return new Date(now().getTime() + lastsSeconds * 1_000);
  }

  /** Changes one under lock, and tells every server. */
  async function change(
    id: string,
    work: (fault: StoredFault) => { type: EntryType; after: StoredFault; person: Person },
  ): Promise<FaultView> {
    const after = await database.transaction(async (transaction) => {
      const fault = await store.lock(transaction, id);
      if (fault === null) throw new RemitError("not-found", `There is no fault ${id}; see remit fault list`);
      if (stateOf(fault, now()) !== "active" && stateOf(fault, now()) !== "waiting")
        throw new RemitError("conflict", `The fault ${id} is over already`);
      const done = work(fault);
      if (done.type === "fault-removed") await store.remove(transaction, id, done.person.party, now());
      else await store.confirm(transaction, id, done.person.party, done.after.expiresAt ?? now());
      await ledger.append(transaction, [entry(done.type, done.after, done.person)]);
      await control.changed(transaction);
      return done.after;
    });
    await control.refresh();
    return view(after, now());
  }

  return {
    current: () => current,

    async add(person, { environment, upstream, tool, kind, percent, delayMs, for: lasts, reason }) {
      check({ environment, upstream, tool });
      const lastsSeconds = durationSeconds(lasts);
      if (lastsSeconds < 1 || lastsSeconds > longestSeconds)
        throw new RemitError("invalid-request", "A fault lasts between a second and a day; say how long with for, such as PT10M");
      const fault: StoredFault = {
        id: newId("fault"),
        environment,
        upstream,
        tool: tool ?? null,
        kind,
        percent,
        delayMs,
        lastsSeconds,
        reason,
        addedBy: person.party,
        addedLink: person.linkedBy,
        addedAt: now(),
        confirmedBy: null,
        expiresAt: isProduction(environment) ? null : end(lastsSeconds),
        removedAt: null,
      };
      await database.transaction(async (transaction) => {
        await store.insert(transaction, fault);
        await ledger.append(transaction, [entry("fault-added", fault, person)]);
        await control.changed(transaction);
      });
      await control.refresh();
      return view(fault, now());
    },

    confirm: (id, person) =>
      change(id, (fault) => {
        if (fault.expiresAt !== null) throw new RemitError("conflict", `The fault ${id} waits for nobody`);
        if (mayRelease({ party: fault.addedBy, linkedBy: fault.addedLink }, person) !== "second")
          throw new RemitError("forbidden", "You added this fault yourself; in production it takes a second person");
        return { type: "fault-confirmed", person, after: { ...fault, confirmedBy: person.party, expiresAt: end(fault.lastsSeconds) } };
      }),

    remove: (id, person) => change(id, (fault) => ({ type: "fault-removed", person, after: { ...fault, removedAt: now() } })),

    async list(all) {
      const faults = all ? await store.recent(database, listed) : await store.standing(database, now());
      return faults.map((fault) => view(fault, now()));
    },
  };
}

function stateOf(fault: StoredFault, at: Date): FaultView["state"] {
  if (fault.removedAt !== null) return "removed";
  if (fault.expiresAt === null) return "waiting";
  return at < fault.expiresAt ? "active" : "expired";
}

function view(fault: StoredFault, at: Date): FaultView {
  const { id, environment, upstream, tool, kind, percent, delayMs, reason, addedBy, confirmedBy } = fault;
  return {
    id,
    state: stateOf(fault, at),
    environment,
    upstream,
    tool,
    kind,
    percent,
    delayMs,
    reason,
    addedBy,
    addedAt: fault.addedAt.toISOString(),
    confirmedBy,
    expiresAt: fault.expiresAt?.toISOString() ?? null,
  };
}
