import type { Id, IdKind, RetentionSpec, RetentionView } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { type DueKey, dueKeys, rowsDueBefore } from "@remit/core";
import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { heldKeyContext } from "../ledger/payload-key-names.ts";
import type { PayloadKeys } from "../ledger/payload-keys.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { held } from "./held.ts";
import type { KeyRewriter } from "./key-rewriter.ts";
import type { RetentionStore } from "./retention.store.ts";

/** Ending what has been kept as long as the registry says. */
export type Retention = {
  /** What is due now. */
  plan(): Promise<RetentionView>;
  /** Ends what is due, and records which days of what, under which schedule. @throws RemitError `conflict` where everything is held */
  purge(actor: string): Promise<RetentionView>;
  /** The same as the clock does it: null where nothing was due, everything is held, or another server is at it. */
  catchUp(): Promise<RetentionView | null>;
};

const retentionActor = "service:retention";

/** So that one statement never holds up a table for long; the rest is for the next round. */
const rowsAtOnce = 5_000;

export function createRetention(options: {
  database: Database;
  store: RetentionStore;
  registry: RegistrySource;
  ledger: Pick<Ledger, "append">;
  payloadKeys: Pick<PayloadKeys, "forOpening" | "forget">;
  masterKey: Pick<MasterKey, "seal">;
  control: Pick<ControlState, "changed" | "refresh">;
  rewriter: KeyRewriter;
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
}): Retention {
  const { database, store, ledger, now, newId } = options;

  /** None before the first apply. */
  function schedules(): RetentionSpec | undefined {
    try {
      return options.registry.current().organisation.retention;
    } catch (error) {
      if (RemitError.is(error)) return undefined;
      throw error;
    }
  }

  async function due(): Promise<{ keys: DueKey[]; before: Date | null }> {
    const retention = schedules();
    if (retention === undefined) return { keys: [], before: null };
    return { keys: dueKeys(retention, await store.keptKeys(database), now()), before: rowsDueBefore(retention, now()) };
  }

  async function view(keys: readonly DueKey[], before: Date | null, rows: Record<string, number>): Promise<RetentionView> {
    const names = keys.map(({ name }) => name);
    const counts = names.length === 0 ? new Map<string, { payloads: number; held: number }>() : await store.counts(database, names);
    return {
      purged: false,
      keys: keys.map(({ name, schedule, day, sensitivity, class: kind }) => {
        const { payloads = 0, held: heldPayloads = 0 } = counts.get(name) ?? {};
        return { class: kind, sensitivity, day, schedule, payloads, held: heldPayloads };
      }),
      rowsBefore: before?.toISOString() ?? null,
      rows,
      heldBy: await store.heldAltogether(database),
    };
  }

  async function purge(actor: string): Promise<RetentionView | null> {
    const { keys, before } = await due();
    if (keys.length === 0 && before === null) return null;
    const names = keys.map(({ name }) => name);
    const counted = await view(keys, before, {});
    if (counted.heldBy !== null) throw held([counted.heldBy]);
    // Of what is held, each payload's own key is kept; it is derived before the key goes that it takes.
    const aside: { entryId: string; name: string; wrapped: Buffer }[] = [];
    for (const { entryId, name, reference } of names.length === 0 ? [] : await store.toPutAside(database, names)) {
      const key = await options.payloadKeys.forOpening(reference, { entryId, name });
      if (key !== null) aside.push({ entryId, name, wrapped: options.masterKey.seal(key.export(), heldKeyContext(entryId, name)) });
    }
    const rows = await database.transaction(async (transaction) => {
      if (!(await store.claim(transaction))) return null;
      if (aside.length > 0) await store.putAside(transaction, aside);
      const destroyed = names.length === 0 ? 0 : await store.purge(transaction, names);
      const deleted = before === null ? {} : await store.purgeRows(transaction, before, rowsAtOnce);
      const nothing = destroyed === 0 && Object.values(deleted).every((count) => count === 0);
      if (nothing) return null;
      await ledger.append(transaction, [
        {
          id: newId("entry"),
          type: "retention-purged",
          at: now().toISOString(),
          actor,
          data: { keys: counted.keys, putAside: aside.length, rowsBefore: counted.rowsBefore, rows: deleted },
        },
      ]);
      if (destroyed > 0) await options.control.changed(transaction);
      return deleted;
    });
    if (rows === null) return null;
    if (names.length > 0) {
      options.payloadKeys.forget();
      await Promise.all([options.rewriter.rewrite(), options.control.refresh()]);
    }
    return { ...counted, purged: true, rows };
  }

  return {
    async plan() {
      const { keys, before } = await due();
      return view(keys, before, before === null ? {} : await store.countRows(database, before));
    },
    async purge(actor) {
      return (await purge(actor)) ?? { purged: true, keys: [], rowsBefore: null, rows: {}, heldBy: null };
    },
    async catchUp() {
      if ((await store.heldAltogether(database)) !== null) return null;
      return purge(retentionActor);
    },
  };
}
