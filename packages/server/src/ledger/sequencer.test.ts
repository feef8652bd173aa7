import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test, vi } from "vitest";
import type { Queryable } from "../database/database.ts";
import { openTestDatabase } from "../database/testing.ts";
import { createLedgerRows } from "./ledger-rows.postgres.ts";
import { fill, openTestLedger, startLedger, testEntry, testMasterKey } from "./ledger.testing.ts";
import { createKeyStore } from "../keys/key-store.postgres.ts";
import { createPayloadKeys } from "./payload-keys.postgres.ts";
import { createSequenceStore } from "./sequence-store.postgres.ts";
import { startSequencer } from "./sequencer.ts";
import { createTreeStore } from "./tree-store.postgres.ts";
import { verifyLedger } from "./verify-ledger.ts";

const quick = { leaseMs: 300, mergeMs: 5, pollMs: 10 };

async function verdictOf(database: Queryable) {
  const payloadKeys = createPayloadKeys({ database, masterKey: testMasterKey });
  return verifyLedger({ rows: createLedgerRows(database), payloadKeys, graceMs: 0, now: () => new Date(Date.now() + 1_000) });
}

async function leavesOf(database: Queryable): Promise<string[]> {
  const rows = await database.query<{ entry_id: string }>("SELECT entry_id FROM ledger_leaf ORDER BY seq");
  return rows.map((row) => row.entry_id);
}

test("[AUD-14] 64 writers and three sequencers: every entry has one place, in one tree", async () => {
  await using test = await openTestDatabase();
  const servers = Array.from({ length: 3 }, () => startLedger(test.database, quick));
  const acknowledged: string[] = [];
  await Promise.all(
    Array.from({ length: 64 }, async (_, writer) => {
      const { ledger } = servers[writer % 3] ?? startLedger(test.database);
      for (let count = 0; count < 25; count += 1) {
        const entry = testEntry();
        if (count % 5 === 0) await test.database.transaction((transaction) => ledger.append(transaction, [entry]));
        else await ledger.record(entry);
        acknowledged.push(entry.id);
      }
    }),
  );
  await servers[0]?.sequencer.flushed();
  await Promise.all(servers.map(({ sequencer }) => sequencer.stop()));
  expect((await leavesOf(test.database)).sort()).toEqual(acknowledged.sort());
  expect(await verdictOf(test.database)).toMatchObject({ ok: true, size: 1_600, pending: 0 });
});

test("[AUD-14] intent is before outcome, whoever sequences", async () => {
  await using test = await openTestDatabase();
  const servers = [startLedger(test.database, quick), startLedger(test.database, quick)] as const;
  const pairs = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const [intent, outcome] = [testEntry("action-intended"), testEntry("action-succeeded")];
      await servers[index % 2 === 0 ? 0 : 1].ledger.record(intent);
      await servers[index % 2 === 0 ? 1 : 0].ledger.record(outcome);
      return [intent.id, outcome.id] as const;
    }),
  );
  await servers[0].sequencer.flushed();
  const order = await leavesOf(test.database);
  for (const [intent, outcome] of pairs) expect(order.indexOf(intent)).toBeLessThan(order.indexOf(outcome));
  await Promise.all(servers.map(({ sequencer }) => sequencer.stop()));
});

test("[AUD-14] a sequencer that was stopped in the middle of a batch, and wakes after another took over, writes nothing", async () => {
  await using test = await openTestDatabase();
  const { database } = test;
  const store = createSequenceStore(database);
  const paused = Promise.withResolvers<void>();
  const resumed = Promise.withResolvers<void>();
  const wrote: boolean[] = [];
  const stale = startSequencer({
    ...quick,
    sequence: {
      ...store,
      async write(...batch) {
        if (wrote.length === 0) {
          paused.resolve();
          await resumed.promise;
        }
        const written = await store.write(...batch);
        wrote.push(written);
        return written;
      },
    },
    tree: createTreeStore(database),
    keys: createKeyStore({ database, masterKey: testMasterKey }),
  });
  const silent = { ...store, takeOver: async () => null };
  const writer = startLedger(database, { ...quick, sequence: silent });
  await writer.ledger.record(testEntry());
  await paused.promise;

  const other = startLedger(database, quick);
  await other.ledger.record(testEntry());
  await other.sequencer.flushed();
  expect(await leavesOf(database)).toHaveLength(2);

  resumed.resolve();
  await vi.waitFor(() => expect(wrote.length).toBeGreaterThan(0), { timeout: 30_000 });
  expect(wrote[0]).toBe(false);
  await other.ledger.record(testEntry());
  await other.sequencer.flushed();
  await Promise.all([stale.stop(), other.sequencer.stop(), writer.sequencer.stop()]);
  expect(await verdictOf(database)).toMatchObject({ ok: true, size: 3 });
});

test("a holder that ends gives the lease back; one that dies loses it after the lease", async () => {
  await using test = await openTestDatabase();
  const first = startLedger(test.database, { ...quick, leaseMs: 60_000 });
  await fill({ ...first, ...test }, [3]);
  await first.sequencer.stop();
  const second = startLedger(test.database, quick);
  await fill({ ...second, ...test }, [3]);
  await second.sequencer.stop();
  await test.superuser.query(
    "UPDATE ledger_sequencer SET holder = 'dead', epoch = epoch + 1, expires_at = clock_timestamp() + interval '300 ms'",
  );
  const third = startLedger(test.database, quick);
  await fill({ ...third, ...test }, [3]);
  await third.sequencer.stop();
  expect(await verdictOf(test.database)).toMatchObject({ ok: true, size: 9 });
});

const changes: [string, string][] = [
  ["a leaf was removed", "DELETE FROM ledger_leaf WHERE seq = 299"],
  ["a leaf of the edge was changed", "UPDATE ledger_leaf SET leaf_hash = sha256('x') WHERE seq = 280"],
  ["a tile's root was changed", "UPDATE ledger_tile SET root = sha256('x')"],
  ["the last checkpoint was removed", "DELETE FROM ledger_checkpoint WHERE size = 300"],
  ["the last checkpoint was signed by somebody else", "UPDATE ledger_checkpoint SET note = replace(note, '— ', '— x') WHERE size = 300"],
];

test.each(changes)("[AUD-14] a ledger is not continued when %s", async (_, sql) => {
  await using test = await openTestLedger();
  await fill(test, [250, 50]);
  await test.sequencer.stop();
  await test.superuser.query(sql);
  const problems: unknown[] = [];
  const { ledger, sequencer } = startLedger(test.database, { ...quick, onProblem: (problem) => problems.push(problem) });
  await ledger.record(testEntry());
  await vi.waitFor(() => expect(() => sequencer.check()).toThrow(/not continued.*remit audit verify/), { timeout: 30_000 });
  await expect(sequencer.flushed()).rejects.toMatchObject({ code: "ledger-unavailable" });
  expect(problems).toHaveLength(1);
  await sequencer.stop();
  expect((await verdictOf(test.database)).ok).toBe(false);
});

test("work that was lost, doubled or made up does not stop the ledger", async () => {
  await using test = await openTestLedger();
  const { database } = test;
  const [sequenced] = await fill(test, [2]);
  await test.sequencer.stop();
  await test.ledger.record(testEntry());
  await database.query("DELETE FROM ledger_pending");
  await database.query("INSERT INTO ledger_pending (entry_ids) VALUES (ARRAY[$1]), (ARRAY['ent_made_up'])", [sequenced?.id]);
  const problems: unknown[] = [];
  const { sequencer } = startLedger(database, { ...quick, onProblem: (problem) => problems.push(problem) });
  await vi.waitFor(async () => expect(await leavesOf(database)).toHaveLength(3), { timeout: 30_000 });
  // Made while it holds the lease: the batch fails as a whole, and is tried again without it.
  await database.query("INSERT INTO ledger_pending (entry_ids) VALUES (ARRAY[$1])", [sequenced?.id]);
  await test.ledger.record(testEntry());
  await vi.waitFor(async () => expect(await leavesOf(database)).toHaveLength(4), { timeout: 30_000 });
  await vi.waitFor(() => sequencer.check(), { timeout: 30_000 });
  await sequencer.flushed();
  await sequencer.stop();
  expect(problems.map(String)).toEqual([expect.stringMatching(/vanished/), expect.stringMatching(/duplicate key/)]);
  expect(await verdictOf(database)).toMatchObject({ ok: true, size: 4, pending: 0 });
});

test("[AUD-14] killed again and again under load: everything acknowledged is there, once, and the ledger verifies", async () => {
  await using test = await openTestDatabase();
  const acknowledged: string[] = [];
  for (const kills of [40, 400, 111, 800]) {
    const child = spawn(process.execPath, [new URL("crash-writer.testing.ts", import.meta.url).pathname], {
      env: { ...process.env, DATABASE_URL: test.url },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      if (output.split("\n").length > kills) child.kill("SIGKILL");
    });
    await once(child, "close");
    expect(child.signalCode).toBe("SIGKILL");
    // The last line may be cut; the whole ones were acknowledged.
    acknowledged.push(...output.split("\n").slice(0, -1));
  }
  const last = startLedger(test.database, quick);
  await last.sequencer.flushed();
  await vi.waitFor(async () => expect(await test.database.query("SELECT FROM ledger_pending")).toEqual([]), { timeout: 30_000 });
  await last.sequencer.stop();
  const leaves = new Set(await leavesOf(test.database));
  expect(acknowledged.length).toBeGreaterThan(1_300);
  expect(acknowledged.filter((id) => !leaves.has(id))).toEqual([]);
  const verdict = await verdictOf(test.database);
  expect(verdict).toMatchObject({ ok: true, size: leaves.size, pending: 0 });
  expect(verdict.payloads.opened).toBe(leaves.size);
});
