import { expect, test, vi } from "vitest";
import { RemitError } from "@remit/contract";
import type { NewEntry } from "@remit/contract";
import { openDatabase } from "../database/database.postgres.ts";
import { openLine } from "./line.testing.ts";
import { openTestLedger, startLedger, testEntry, testId } from "./ledger.testing.ts";

const count = async (database: { query<Row extends object>(sql: string): Promise<Row[]> }, table: string): Promise<number> =>
  Number((await database.query<{ count: string }>(`SELECT count(*) FROM ${table}`))[0]?.count);

test("[AUD-14] entries commit with the state that they record, or not at all", async () => {
  await using test = await openTestLedger();
  await test.database.transaction((transaction) => test.ledger.append(transaction, [testEntry(), testEntry()]));
  const failing = test.database.transaction(async (transaction) => {
    await test.ledger.append(transaction, [testEntry()]);
    throw new Error("the state change failed");
  });
  await expect(failing).rejects.toThrow("the state change failed");
  await test.sequencer.flushed();
  expect(await test.database.query("SELECT seq FROM ledger_leaf ORDER BY seq")).toEqual([{ seq: "0" }, { seq: "1" }]);
  expect(await count(test.database, "ledger_entry")).toBe(2);
  expect(await count(test.database, "ledger_pending")).toBe(0);
});

test("[AUD-01] payloads are sealed, open again, and their key is that of their subject", async () => {
  await using test = await openTestLedger();
  const secret = "the customer's own words";
  const entry = testEntry("action-intended", {
    payloads: [
      { name: "arguments", subject: "customer:7", value: { body: secret } },
      { name: "result", subject: "customer:8", value: { ok: true } },
    ],
  });
  await test.ledger.record(entry);
  expect(await test.ledger.open(entry.id, "arguments")).toEqual({ body: secret });
  expect(await test.ledger.open(entry.id, "result")).toEqual({ ok: true });
  expect(await test.ledger.open(entry.id, "nothing")).toBeNull();
  const [row] = await test.database.query<{ body: Buffer; ciphertext: Buffer }>(
    "SELECT body, ciphertext FROM ledger_entry JOIN ledger_payload ON entry_id = id WHERE name = 'arguments'",
  );
  expect(row?.body.toString()).not.toContain("customer");
  expect(row?.ciphertext.toString("latin1")).not.toContain(secret);
  await test.superuser.query("DELETE FROM payload_key WHERE subject = 'customer:7'");
  expect(await test.ledger.open(entry.id, "arguments")).toBeNull();
  expect(await test.ledger.open(entry.id, "result")).toEqual({ ok: true });
});

test("the key of a subject whose first transaction rolled back seals nothing that stays", async () => {
  await using test = await openTestLedger();
  const entry = () => testEntry("action-intended", { payloads: [{ name: "arguments", subject: "customer:1", value: { n: 1 } }] });
  const rolledBack = test.database.transaction(async (transaction) => {
    await test.ledger.append(transaction, [entry()]);
    await test.ledger.append(transaction, [entry()]);
    throw new Error("rolled back");
  });
  await expect(rolledBack).rejects.toThrow("rolled back");
  expect(await count(test.database, "payload_key")).toBe(0);
  const kept = entry();
  await test.ledger.record(kept);
  expect(await test.ledger.open(kept.id, "arguments")).toEqual({ n: 1 });
});

test("many transactions meet a new subject at once, with no connection to spare", async () => {
  await using test = await openTestLedger();
  const entries = Array.from({ length: 64 }, (_, index) =>
    testEntry("action-intended", {
      payloads: [`customer:${index % 5}`, `customer:${(index * 7) % 5}`].map((subject, place) => ({
        name: `p${place}`,
        subject,
        value: { index },
      })),
    }),
  );
  await Promise.all(entries.map((entry) => test.database.transaction((transaction) => test.ledger.append(transaction, [entry]))));
  for (const [index, entry] of entries.entries()) expect(await test.ledger.open(entry.id, "p1")).toEqual({ index });
});

const bad: [string, Partial<NewEntry>, string][] = [
  ["a type that is none", { type: "action-invented" as never }, "invalid-request"],
  ["a time without milliseconds", { at: "2026-01-01T00:00:00Z" }, "invalid-request"],
  ["facts under the reserved name", { data: { payloads: {} } }, "invalid-request"],
  ["facts without a canonical form", { data: { n: Number.NaN } }, "invalid-arguments"],
  ["a body that is too large", { data: { text: "x".repeat(70_000) } }, "too-large"],
  ["U+0000 in a name", { data: { tool: "a\0b" } }, "invalid-request"],
  ["two payloads of one name", { payloads: [1, 2].map((n) => ({ name: "a", subject: "s", value: { n } })) }, "invalid-request"],
];

test.each(bad)("%s is refused, and its neighbours are recorded", async (_, more, code) => {
  await using test = await openTestLedger();
  const good = Array.from({ length: 10 }, () => testEntry());
  const results = await Promise.allSettled([...good, testEntry("action-denied", more)].map((entry) => test.ledger.record(entry)));
  expect(results.slice(0, 10).every(({ status }) => status === "fulfilled")).toBe(true);
  expect(results[10]).toMatchObject({ status: "rejected", reason: { code } });
  expect(await count(test.database, "ledger_entry")).toBe(10);
});

test("an entry that only the database can refuse does not take its neighbours with it", async () => {
  await using test = await openTestLedger();
  const first = testEntry();
  await test.ledger.record(first);
  const batch = [
    ...Array.from({ length: 30 }, () => testEntry()),
    { ...testEntry(), id: first.id },
    ...Array.from({ length: 30 }, () => testEntry()),
  ];
  const results = await Promise.allSettled(batch.map((entry) => test.ledger.record(entry)));
  expect(results.map(({ status }) => status)).toEqual(batch.map((entry) => (entry.id === first.id ? "rejected" : "fulfilled")));
  expect(results[30]).toMatchObject({ reason: { code: "conflict" } });
  await test.sequencer.flushed();
  expect(await count(test.database, "ledger_leaf")).toBe(61);
});

test("a database that is away rejects what is recorded; once it is back the ledger goes on by itself", async () => {
  await using test = await openTestLedger();
  await using line = await openLine(test.url);
  const database = openDatabase({ url: line.url });
  const { ledger, sequencer } = startLedger(database, { leaseMs: 1_000 });
  const before = testEntry();
  await ledger.record(before);
  await line.cut();
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => ledger.record(testEntry())));
  for (const result of results) expect(result).toMatchObject({ status: "rejected", reason: { code: "ledger-unavailable" } });
  await line.mend();
  // Connections that died while idle say so at their next use: each costs its caller a rejection, never a lost entry.
  const after = testEntry("action-failed", { actionId: testId("action") });
  await vi.waitFor(() => ledger.record(after), { timeout: 30_000 });
  await test.sequencer.flushed();
  const sequenced = await test.database.query<{ entry_id: string }>("SELECT entry_id FROM ledger_leaf");
  expect(sequenced.map((row) => row.entry_id)).toEqual(expect.arrayContaining([before.id, after.id]));
  await sequencer.stop();
  await database.close();
});

test("beyond what may wait, callers are refused at once; after closing, all are", async () => {
  await using test = await openTestLedger();
  const entries = Array.from({ length: 10_600 }, () => testEntry());
  const results = await Promise.allSettled(entries.map((entry) => test.ledger.record(entry)));
  const refused = results.filter((result) => result.status === "rejected");
  expect(refused.length).toBeGreaterThan(0);
  for (const { reason } of refused) expect(RemitError.is(reason) && reason.code).toBe("ledger-unavailable");
  expect(await count(test.database, "ledger_entry")).toBe(results.length - refused.length);
  await test.ledger.close();
  await expect(test.ledger.record(testEntry())).rejects.toMatchObject({ code: "ledger-unavailable" });
});

test("[AUD-14] the application can change, delete, empty or drop no row of the ledger", async () => {
  await using test = await openTestLedger();
  await test.ledger.record(testEntry("action-denied", { payloads: [{ name: "a", subject: "s", value: {} }] }));
  await test.sequencer.flushed();
  const columns = {
    ledger_entry: ["body", "actor", "at"],
    ledger_payload: ["ciphertext", "subject"],
    ledger_leaf: ["entry_id", "leaf_hash", "seq"],
    ledger_tile: ["hashes", "root"],
    ledger_checkpoint: ["note", "root", "leaves"],
    signing_key: ["sealed", "public_key"],
    payload_key: ["wrapped"],
  };
  for (const [table, names] of Object.entries(columns)) {
    const statements = [
      ...names.map((name) => `UPDATE ${table} SET ${name} = ${name}`),
      `DELETE FROM ${table}`,
      `TRUNCATE ${table}`,
      `DROP TABLE ${table}`,
      `ALTER TABLE ${table} DISABLE TRIGGER ALL`,
    ];
    // PostgreSQL answers this with a warning only; it must not have helped.
    await test.database.query(`GRANT ALL ON ${table} TO remit_app`);
    // 42501: insufficient privilege.
    for (const statement of statements) {
      await expect(test.database.query(statement), statement).rejects.toMatchObject({ code: "42501" });
    }
  }
});
