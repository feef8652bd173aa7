import { randomBytes } from "node:crypto";
import type { EntryType, Id, NewEntry } from "@remit/contract";
import { openTestDatabase } from "../database/testing.ts";
import type { TestDatabase } from "../database/testing.ts";
import type { Database } from "../database/database.ts";
import { createKeyStore } from "../keys/key-store.postgres.ts";
import type { KeyStore } from "../keys/key-store.ts";
import { createMasterKey } from "../keys/master-key.ts";
import { createAuditStore } from "./audit.postgres.ts";
import { createAudit } from "./audit.service.ts";
import type { Audit } from "./audit.service.ts";
import { createLedgerRows } from "./ledger-rows.postgres.ts";
import { createLedger } from "./ledger.postgres.ts";
import type { OpenLedger } from "./ledger.postgres.ts";
import { createPayloadKeys } from "./payload-keys.postgres.ts";
import type { PayloadKeys } from "./payload-keys.ts";
import { createSequenceStore } from "./sequence-store.postgres.ts";
import { startSequencer } from "./sequencer.ts";
import type { Sequencer, SequencerOptions } from "./sequencer.ts";
import { createTreeStore } from "./tree-store.postgres.ts";

export const testMasterKey = createMasterKey(Buffer.alloc(32, 42));

export type LedgerParts = { keys: KeyStore; payloadKeys: PayloadKeys; ledger: OpenLedger; sequencer: Sequencer };

/** A ledger and its sequencer, as a server has them. */
export function startLedger(database: Database, options: Partial<SequencerOptions> = {}): LedgerParts {
  const keys = createKeyStore({ database, masterKey: testMasterKey });
  const payloadKeys = createPayloadKeys({ database, masterKey: testMasterKey });
  const ledger = createLedger({ database, payloadKeys });
  const sequencer = startSequencer({
    sequence: createSequenceStore(database),
    tree: createTreeStore(database),
    keys,
    onAppended: ledger.onAppended,
    ...options,
  });
  return { keys, payloadKeys, ledger, sequencer };
}

/** A database with a ledger that runs until the end of the `await using` block. */
export async function openTestLedger(options: Partial<SequencerOptions> = {}): Promise<TestDatabase & LedgerParts> {
  const test = await openTestDatabase();
  const parts = startLedger(test.database, { leaseMs: 1_000, ...options });
  return {
    ...test,
    ...parts,
    [Symbol.asyncDispose]: async () => {
      await parts.ledger.close();
      await parts.sequencer.stop();
      await test[Symbol.asyncDispose]();
    },
  };
}

/** Looking into it, as a server has it. */
export function startAudit(parts: LedgerParts & { database: Database }): Audit {
  const { database, ledger, payloadKeys, keys } = parts;
  return createAudit({
    store: createAuditStore(database),
    tree: createTreeStore(database),
    rows: createLedgerRows(database),
    payloads: ledger,
    payloadKeys,
    keys,
  });
}

export function testId<Kind extends "entry" | "action" | "run" | "approval">(kind: Kind): Id<Kind> {
  const prefix = { entry: "ent", action: "act", run: "run", approval: "apr" }[kind];
  return `${prefix}_${randomBytes(16).toString("hex")}` as Id<Kind>;
}

export function testEntry(type: EntryType = "action-denied", more: Partial<NewEntry> = {}): NewEntry {
  return { id: testId("entry"), type, at: new Date().toISOString(), actor: "agent:triage", data: { reason: "no grant" }, ...more };
}

/** Destroys a key as erasing does, with the entry that says so. */
export async function eraseKey(
  parts: LedgerParts & Pick<TestDatabase, "database" | "superuser">,
  key: string,
  at = new Date().toISOString(),
): Promise<void> {
  await parts.superuser.query("DELETE FROM payload_key WHERE subject = $1", [key]);
  parts.payloadKeys.forget();
  await parts.ledger.record(testEntry("subject-erased", { at, actor: "party:ada", data: { key } }));
  await parts.sequencer.flushed();
}

/** Entries in batches of their own: each batch under one checkpoint. */
export async function fill(
  parts: LedgerParts & { database: Database },
  batches: readonly number[],
  more: (seq: number) => Partial<NewEntry> = () => ({}),
): Promise<NewEntry[]> {
  const entries: NewEntry[] = [];
  for (const count of batches) {
    const batch = Array.from({ length: count }, (_, index) => testEntry("action-denied", more(entries.length + index)));
    await parts.database.transaction((transaction) => parts.ledger.append(transaction, batch));
    await parts.sequencer.flushed();
    entries.push(...batch);
  }
  return entries;
}
