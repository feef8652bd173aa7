import { writeFile } from "node:fs/promises";
import type { ExportRequest } from "@remit/contract";
import type { Database } from "../database/database.ts";
import { newId } from "../id/new-id.ts";
import { createLedgerRows } from "../ledger/ledger-rows.postgres.ts";
import type { LedgerKeys } from "../ledger/ledger-keys.service.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import { createTreeStore } from "../ledger/tree-store.postgres.ts";
import { createExportStore } from "./export.postgres.ts";
import { createExports } from "./export.service.ts";
import type { Exports } from "./export.service.ts";

/** Exporting, as a server has it. */
export function startExports(parts: LedgerParts & { database: Database; ledgerKeys?: Pick<LedgerKeys, "signing"> }): Exports {
  const { database, payloadKeys, keys, ledger, ledgerKeys } = parts;
  return createExports({
    store: createExportStore(database),
    rows: createLedgerRows(database),
    tree: createTreeStore(database),
    payloadKeys,
    keys,
    ledger,
    ...(ledgerKeys === undefined ? {} : { signers: async () => (await ledgerKeys.signing()).signers }),
    now: () => new Date(),
    newId,
  });
}

/** Exports to an archive. */
export async function exportTo(exports: Exports, path: string, request: Partial<ExportRequest> = {}): Promise<string> {
  const { pieces } = await exports.open({ payloads: "sealed", ...request }, "party:olga");
  await writeFile(path, pieces);
  return path;
}
