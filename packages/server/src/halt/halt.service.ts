import { setTimeout as sleep } from "node:timers/promises";
import { type HaltView, type Id, type IdKind, type Person, RemitError } from "@remit/contract";
import { type Halt, describeScope, mayRelease } from "@remit/core";
import type { InFlight } from "../action/in-flight.ts";
import type { ControlState } from "../control/control-state.ts";
import type { Database, Transaction } from "../database/database.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RevokeLeasesIn } from "../secret/leases.ts";
import { reachOf } from "./halt-reach.ts";
import type { HaltStore, StoredHalt } from "./halt.store.ts";
import type { HaltService } from "./halts.ts";

export type HaltOptions = {
  database: Database;
  store: HaltStore;
  ledger: Pick<Ledger, "append">;
  control: Pick<ControlState, "changed" | "onChange" | "refresh">;
  /** What this server is executing: a halt reaches it. */
  inFlight: Pick<InFlight, "apply" | "sinceLastStart">;
  /** Who confirms what it has applied, and when it may: once its copy of the control state stands. */
  server?: { instance: string; name: string; onConfirmed: (listener: () => Promise<void>) => void };
  /** A halt of a run ends the run, in the same transaction. */
  haltRun(transaction: Transaction, id: Id<"run">, reason: string, actor: string): Promise<boolean>;
  /** What the halted could do at upstreams ends with them, in the same transaction. */
  revokeLeases?: RevokeLeasesIn;
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
};

export function createHalts(options: HaltOptions): HaltService {
  const { database, store, ledger, control, now, newId } = options;
  const { server } = options;
  let current: readonly Halt[] = [];
  let known = new Set<string>();
  const unconfirmed = new Map<string, { halt: Halt; cancelled: number }>();

  control.onChange(async () => {
    current = await store.inForce(database);
    const cancelled = options.inFlight.apply(current);
    for (const halt of current) if (!known.has(halt.id)) unconfirmed.set(halt.id, { halt, cancelled });
    known = new Set(current.map(({ id }) => id));
  });

  // From here on nothing that they cover begins on this server: intents need the number that came with them.
  server?.onConfirmed(async () => {
    for (const [id, { halt, cancelled }] of unconfirmed) {
      const sinceLastStartMs = options.inFlight.sinceLastStart(halt);
      unconfirmed.delete(id);
      try {
        await store.confirm(database, id, { instance: server.instance, name: server.name, sinceLastStartMs, cancelled });
      } catch (error) {
        // It is said with the next confirmation.
        unconfirmed.set(id, { halt, cancelled });
        throw error;
      }
    }
  });

  /** Views, with how far each has reached. */
  async function views(halts: readonly StoredHalt[]): Promise<HaltView[]> {
    if (halts.length === 0) return [];
    const ids = halts.map(({ id }) => id);
    const [live, confirmed] = await Promise.all([store.liveServers(database), store.confirmations(database, ids)]);
    return halts.map((halt) => ({
      ...view(halt),
      reach: reachOf(
        live,
        confirmed.filter(({ haltId }) => haltId === halt.id),
      ),
    }));
  }

  async function whenConfirmed(halt: StoredHalt): Promise<HaltView> {
    for (const until = performance.now() + waitAtMostMs; ; await sleep(20)) {
      const [found] = await views([halt]);
      if (found?.reach?.missing.length === 0 || performance.now() > until) return found ?? view(halt);
    }
  }

  const entry = (type: "halt-engaged" | "halt-release-requested" | "halt-released", halt: StoredHalt, person: Person, reason: string) => ({
    id: newId("entry"),
    type,
    at: now().toISOString(),
    actor: `party:${person.party}`,
    data: { haltId: halt.id, mode: halt.mode, scope: describeScope(halt.scope), reason, linkedBy: person.linkedBy },
  });

  return {
    current: () => current,
    async engage(person, { mode, scope, reason }, sinceCommand = () => 0) {
      const halt: StoredHalt = {
        id: newId("halt"),
        mode,
        scope,
        reason,
        engagedBy: person.party,
        engagedAt: now(),
        releaseRequestedBy: null,
        releaseRequestedLink: null,
        releasedAt: null,
      };
      await database.transaction(async (transaction) => {
        await store.insert(transaction, halt, sinceCommand());
        if (mode === "halt" && scope.type === "run") await options.haltRun(transaction, scope.name, reason, `party:${person.party}`);
        await ledger.append(transaction, [entry("halt-engaged", halt, person, reason)]);
        if (mode === "halt") await options.revokeLeases?.(transaction, scope, `halted: ${reason}`, `party:${person.party}`);
        await control.changed(transaction);
      });
      await control.refresh();
      return server === undefined ? view(halt) : whenConfirmed(halt);
    },
    async release(id, person, reason) {
      const after = await database.transaction(async (transaction): Promise<StoredHalt> => {
        const halt = await store.lock(transaction, id);
        if (halt === null) throw new RemitError("not-found", `There is no halt ${id}; see remit halt status`);
        if (halt.releasedAt !== null) throw new RemitError("conflict", `The halt ${id} has been released already`);
        const first =
          halt.releaseRequestedBy === null ? null : { party: halt.releaseRequestedBy, linkedBy: halt.releaseRequestedLink ?? "" };
        switch (mayRelease(first, person)) {
          case "first":
            await store.requestRelease(transaction, id, { party: person.party, link: person.linkedBy, reason });
            await ledger.append(transaction, [entry("halt-release-requested", halt, person, reason)]);
            return { ...halt, releaseRequestedBy: person.party };
          case "same-person":
            throw new RemitError("forbidden", "You asked for this release yourself; it takes a second person");
          case "second": {
            const at = now();
            await store.release(transaction, id, person.party, at);
            await ledger.append(transaction, [entry("halt-released", halt, person, reason)]);
            await control.changed(transaction);
            return { ...halt, releasedAt: at };
          }
        }
      });
      if (after.releasedAt !== null) await control.refresh();
      return { ...view(after), releasedAt: after.releasedAt?.toISOString() ?? null };
    },
    list: async () => views(await store.inForce(database)),
  };
}

/** How long whoever gives the command waits to be told of all servers: longer than one takes that is well. */
const waitAtMostMs = 2_000;

function view(halt: StoredHalt): HaltView {
  const { id, mode, scope, reason, engagedBy, releaseRequestedBy } = halt;
  return { id, mode, scope, reason, engagedBy, engagedAt: halt.engagedAt.toISOString(), releaseRequestedBy };
}
