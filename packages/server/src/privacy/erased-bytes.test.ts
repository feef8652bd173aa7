import { chmod, cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { startDatabase } from "../database/start-database.ts";
import { openDatabase } from "../database/database.postgres.ts";
import { newId } from "../id/new-id.ts";
import { createLedgerRows } from "../ledger/ledger-rows.postgres.ts";
import { startLedger, testEntry, testMasterKey } from "../ledger/ledger.testing.ts";
import { verifyLedger } from "../ledger/verify-ledger.ts";
import { createKeyRewriter } from "./key-rewriter.postgres.ts";
import { privacyStore } from "./privacy.postgres.ts";
import { createPrivacy } from "./privacy.service.ts";
import { createSubjectKeys } from "./subject-keys.ts";

/** Every file below a folder that holds any of these bytes. */
async function filesWith(folder: string, needles: readonly Buffer[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // PostgreSQL may remove a file between the listing and the reading.
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    if (needles.some((needle) => bytes.includes(needle))) found.push(relative(folder, path));
  }
  return found.sort();
}

test(
  "[DAT-17] after an erasure no file of PostgreSQL has the key any more, nor had one ever what it sealed",
  { timeout: 180_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "remit-erased-"));
    await chmod(folder, 0o755);
    const started = await startDatabase({ dataFolder: folder });
    const owner = openDatabase({ url: started.ownerUrl, poolSize: 1, role: null });
    const { database } = started;
    const { ledger, sequencer, payloadKeys } = startLedger(database);
    try {
      const cluster = started.embedded?.cluster ?? "";
      const word = "canary-Qv7xLr2Wm9";
      const about = (name: string) =>
        testEntry("action-intended", {
          payloads: [{ name: "arguments", subject: "run:1", about: [`customer:${name}`], value: { note: `${word} ${name}` } }],
        });
      // Neighbours on the same pages, before and after, so that the key lies in the middle of a page and of a segment.
      const entries = [
        ...Array.from({ length: 60 }, (_, index) => about(`n${index}`)),
        about("kim"),
        ...Array.from({ length: 60 }, (_, index) => about(`m${index}`)),
      ];
      for (const entry of entries) await ledger.record(entry);
      await sequencer.flushed();
      const subjects = createSubjectKeys({ store: privacyStore, masterKey: testMasterKey, keys: payloadKeys });
      const { key } = await subjects.find(database, "customer:kim");
      const wrapped = (await privacyStore.byKey(database, key))?.wrapped ?? Buffer.alloc(0);
      const [mapping] = await database.query<{ lookup: Buffer; sealed: Buffer }>(
        "SELECT lookup, sealed FROM data_subject WHERE key_name = $1",
        [key],
      );
      const needles = [wrapped, mapping?.lookup ?? Buffer.alloc(0), mapping?.sealed ?? Buffer.alloc(0)];
      expect(needles.map(({ length }) => length)).toEqual([60, 32, expect.any(Number)]);

      // More than once through full-page images: the first change of a page after a checkpoint writes all of it into the log.
      await owner.query("CHECKPOINT");
      for (let index = 0; index < 60; index += 1) await ledger.record(about(`late${index}`));
      await owner.query("CHECKPOINT");
      const before = await filesWith(cluster, needles);
      // The search finds it where it has to be: in a table's file and in the log. What is sealed is nowhere, and never was.
      expect(before.some((file) => file.startsWith("base/"))).toBe(true);
      expect(before.some((file) => file.startsWith("pg_wal/"))).toBe(true);
      expect(await filesWith(cluster, [Buffer.from(word)])).toEqual([]);

      await sequencer.flushed();
      const was = await verifyLedger({ rows: createLedgerRows(database), payloadKeys });

      const privacy = createPrivacy({
        database,
        store: privacyStore,
        subjects,
        ledger,
        payloads: ledger,
        payloadKeys,
        control: { changed: async () => undefined, onChange: () => undefined, refresh: async () => undefined },
        approvals: { withdrawRequest: async () => false },
        rewriter: createKeyRewriter({
          ownerUrl: started.ownerUrl,
          ownsCluster: true,
          onError: (error) => {
            throw error;
          },
        }),
        now: () => new Date(),
        newId,
      });
      const person = {
        party: "ada",
        displayName: "Ada",
        roles: ["admin" as const],
        sessionId: newId("session"),
        linkedBy: "service:machine",
      };
      expect(await privacy.erase(person, { subject: "customer:kim", reason: "DSR-17" })).toMatchObject({ erased: true, rewritten: true });

      expect(await filesWith(cluster, needles)).toEqual([]);
      // A backup made from now on is a copy of this.
      const backup = join(folder, "backup");
      await cp(cluster, backup, { recursive: true, force: true }).catch(() => undefined);
      expect(await filesWith(backup, needles)).toEqual([]);
      // The neighbours are untouched, and every proof holds.
      await sequencer.flushed();
      const is = await verifyLedger({ rows: createLedgerRows(database), payloadKeys });
      expect([was.ok, is.ok]).toEqual([true, true]);
      expect(is.payloads).toMatchObject({ erased: 1 });
      const [first] = entries;
      expect(first && (await ledger.open(first.id, "arguments"))).toEqual({ note: `${word} n0` });
    } finally {
      await ledger.close();
      await sequencer.stop();
      await owner.close();
      await started.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
);
