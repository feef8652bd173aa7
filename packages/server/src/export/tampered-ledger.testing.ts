import { RemitError } from "@remit/contract";
import type { LedgerVerdict } from "@remit/contract";
import { openDatabase } from "../database/database.postgres.ts";
import type { Database, Queryable } from "../database/database.ts";
import type { TestDatabase } from "../database/testing.ts";
import { newId } from "../id/new-id.ts";
import { defaultOrigin, verifierKeys } from "../ledger/ledger-key.ts";
import { createLedgerRows } from "../ledger/ledger-rows.postgres.ts";
import { fill, openTestLedger, testId, testMasterKey } from "../ledger/ledger.testing.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import { createPayloadKeys } from "../ledger/payload-keys.postgres.ts";
import { createTreeStore } from "../ledger/tree-store.postgres.ts";
import { verifyLedger } from "../ledger/verify-ledger.ts";
import { createExportStore } from "./export.postgres.ts";
import { createExports } from "./export.service.ts";
import { exportTo } from "./export.testing.ts";

/** How many entries each checkpoint signs that the one before does not: a full tile and a tail. */
export const tamperBatches = [1, 99, 100, 40, 40, 20];
export const tamperSize = tamperBatches.reduce((sum, count) => sum + count, 0);

/** What somebody finds who looks at the ledger after it was tampered with. */
export type TamperedLedger = {
  /** Null where verifying itself fails, which is no way to pass. */
  verify(): Promise<LedgerVerdict | null>;
  /** Null where the server refuses to export. */
  exportTo(path: string): Promise<string | null>;
};

/** A ledger on which a superuser may do anything: each time in a transaction that is rolled back. */
export type TamperRoom = AsyncDisposable & {
  ledger: TestDatabase & LedgerParts;
  /** The last checkpoint of the untouched ledger: what a witness has kept. */
  kept: string;
  tamper<Result>(edit: (superuser: Queryable) => Promise<void>, look: (tampered: TamperedLedger) => Promise<Result>): Promise<Result>;
};

export async function openTamperRoom(): Promise<TamperRoom> {
  const ledger = await openTestLedger();
  await fill(ledger, tamperBatches, (seq) => ({
    actionId: testId("action"),
    runId: testId("run"),
    data: { tool: "helpdesk__send_email", n: seq },
    ...(seq % 3 === 0 ? { payloads: [{ name: "arguments", subject: `run:${seq % 5}`, value: { seq } }] } : {}),
  }));
  await ledger.sequencer.stop();
  const last = (await createTreeStore(ledger.database).last()).checkpoint;
  const { publicKey } = await ledger.keys.signingKey("ledger", "Ed25519");
  const superuser = openDatabase({ url: ledger.url, poolSize: 1, role: null });

  function look(on: Queryable): TamperedLedger {
    const database = on as Database;
    const payloadKeys = createPayloadKeys({ database, masterKey: testMasterKey });
    const rows = createLedgerRows(database);
    const exports = createExports({
      store: createExportStore(database),
      rows,
      tree: createTreeStore(database),
      payloadKeys,
      keys: ledger.keys,
      ledger: { record: async () => {} },
      now: () => new Date(),
      newId,
    });
    return {
      verify: () => verifyLedger({ rows, payloadKeys, publicKey, now: () => new Date(Date.now() + 3_600_000) }).catch(refusal),
      exportTo: (path) => exportTo(exports, path).catch(refusal),
    };
  }

  return {
    ledger,
    kept: last?.note ?? "",
    async tamper(edit, judge) {
      let done: { result: Awaited<ReturnType<typeof judge>> } | null = null;
      const undo = new Error("undo");
      await superuser
        .transaction(async (transaction) => {
          await edit(transaction);
          done = { result: await judge(look(transaction)) };
          throw undo;
        })
        .catch((error: unknown) => {
          if (error !== undo) throw error;
        });
      const { result } = done as unknown as { result: Awaited<ReturnType<typeof judge>> };
      return result;
    },
    async [Symbol.asyncDispose]() {
      await superuser.close();
      await ledger[Symbol.asyncDispose]();
    },
  };
}

/** Only what Remit itself says counts: a mistake of the test's must not look like something that was found. */
function refusal(error: unknown): null {
  if (RemitError.is(error)) return null;
  throw error;
}

/** The keys that verify it, as verifiers take them. */
export async function ledgerKeysOf(ledger: { database: Database }): Promise<string[]> {
  return verifierKeys(await createLedgerRows(ledger.database).publicKeys(), defaultOrigin);
}
