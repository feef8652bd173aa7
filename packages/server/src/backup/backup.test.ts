import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabase } from "../database/database.postgres.ts";
import type { TestDatabase } from "../database/testing.ts";
import { openEmptyDatabase } from "../database/testing.ts";
import { fill, openTestLedger, startLedger } from "../ledger/ledger.testing.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import { backUp } from "./back-up.postgres.ts";
import { recordRestorations, refuseUnverified } from "./restorations.postgres.ts";
import { restore } from "./restore.postgres.ts";
import { newId } from "../id/new-id.ts";

let original: TestDatabase & LedgerParts;
let folder: string;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "remit-backup-"));
  file = join(folder, "remit.backup");
  original = await openTestLedger();
  await fill(original, [300, 40], (seq) => ({
    payloads: [{ name: "arguments", subject: `agent:${seq % 7}`, value: { text: `Ünï \\ \t ${seq}` } }],
  }));
  await original.superuser.query("INSERT INTO server_instance (id, name) VALUES (gen_random_uuid(), E'a\\tname\\nof two lines\\\\')");
  await backUp({ url: original.url, file });
});

afterAll(async () => {
  await original[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What is in every table, in one word each. */
async function contentsOf(url: string): Promise<Map<string, string>> {
  const database = openDatabase({ url, role: null, poolSize: 1 });
  try {
    const tables = await database.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT IN ('restoration', 'remit_migration', 'ledger_sequencer')",
    );
    const contents = new Map<string, string>();
    for (const { name } of tables) {
      const [row] = await database.query<{ sum: string }>(
        `SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') AS sum FROM ${name} t`,
      );
      contents.set(name, row?.sum ?? "");
    }
    return contents;
  } finally {
    await database.close();
  }
}

async function lastNote(): Promise<string> {
  const [row] = await original.superuser.query<{ note: string }>("SELECT note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1");
  return row?.note ?? "";
}

const starts = async (url: string): Promise<string> => {
  const database = openDatabase({ url, poolSize: 1 });
  try {
    return await refuseUnverified(database).then(
      () => "starts",
      (error: unknown) => (error as { code: string }).code,
    );
  } finally {
    await database.close();
  }
};

test("[SAF-21] what is restored is what was backed up, in every table, and its ledger verifies and goes on", async () => {
  await using empty = await openEmptyDatabase();
  const restored = await restore({ url: empty.url, file, witnessed: await lastNote() });
  expect(restored).toMatchObject({ rollback: null, verified: true, verdict: { ok: true, size: 340 } });
  expect(await contentsOf(empty.url)).toEqual(await contentsOf(original.url));
  expect(await starts(empty.url)).toBe("starts");

  const database = openDatabase({ url: empty.url });
  const parts = startLedger(database);
  try {
    await recordRestorations({ database, ledger: parts.ledger, now: () => new Date(), newId });
    await recordRestorations({ database, ledger: parts.ledger, now: () => new Date(), newId });
    await fill({ database, ...parts }, [5]);
    const said = await database.query("SELECT FROM ledger_entry WHERE type = 'ledger-restored'");
    expect(said).toHaveLength(1);
    const [row] = await database.query<{ leaves: string }>("SELECT count(*) AS leaves FROM ledger_leaf");
    expect(row?.leaves).toBe("346");
  } finally {
    await parts.ledger.close();
    await parts.sequencer.stop();
    await database.close();
  }
});

test("[SAF-21] a backup that is older than what was witnessed has gone back: no server starts, until a person says that it has to be", async () => {
  await fill(original, [3]);
  const witnessed = await lastNote();
  await using empty = await openEmptyDatabase();
  expect(await restore({ url: empty.url, file, witnessed })).toMatchObject({
    rollback: { restored: 340, witnessed: 343 },
    verified: false,
    verdict: { ok: true },
  });
  expect(await starts(empty.url)).toBe("database-mismatch");

  await using another = await openEmptyDatabase();
  const acknowledged = { by: "ada", reason: "it is the last that there is" };
  expect(await restore({ url: another.url, file, witnessed, acknowledged })).toMatchObject({ verified: true });
  expect(await starts(another.url)).toBe("starts");
});

test("[SAF-21] a ledger that was changed in the backup does not verify, and no server starts on it", async () => {
  // Whoever can write the file can write its checksum as well.
  await using changed = await openEmptyDatabase();
  await restore({ url: changed.url, file });
  const database = openDatabase({ url: changed.url, role: null, poolSize: 1 });
  await database.query(
    "UPDATE ledger_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), 'no grant', 'no grunt'), 'UTF8') WHERE id = (SELECT min(id) FROM ledger_entry)",
  );
  await database.close();
  const forged = join(folder, "forged.backup");
  await backUp({ url: changed.url, file: forged });
  await using empty = await openEmptyDatabase();
  expect(await restore({ url: empty.url, file: forged })).toMatchObject({ verified: false, verdict: { ok: false, problemCount: 1 } });
  expect(await starts(empty.url)).toBe("database-mismatch");
});

test.each([
  ["cut short", (bytes: Buffer) => bytes.subarray(0, bytes.length - 200)],
  ["with one byte changed", (bytes: Buffer) => gzipSync(flipped(gunzipSync(bytes)))],
  ["without its end", (bytes: Buffer) => gzipSync(gunzipSync(bytes).subarray(0, -37))],
  ["no backup at all", () => Buffer.from("hello")],
])("a backup that is damaged (%s) is refused, and nothing of it is in the database", async (_how, damage) => {
  const bad = join(folder, "damaged.backup");
  await writeFile(bad, damage(await readFile(file)));
  await using empty = await openEmptyDatabase();
  await expect(restore({ url: empty.url, file: bad })).rejects.toMatchObject({ code: "invalid-request" });
  const database = openDatabase({ url: empty.url, role: null, poolSize: 1 });
  const [row] = await database.query<{ there: boolean }>("SELECT to_regclass('ledger_entry') IS NOT NULL AS there");
  if (row?.there === true) expect(await database.query("SELECT FROM ledger_entry")).toHaveLength(0);
  await database.close();
  // What is whole goes into the same database afterwards.
  expect(await restore({ url: empty.url, file })).toMatchObject({ verified: true });
});

test("nothing is restored over a ledger, and no checkpoint of another ledger is believed", async () => {
  await expect(restore({ url: original.url, file })).rejects.toMatchObject({ code: "conflict" });
  await using other = await openTestLedger();
  await fill(other, [2]);
  const [row] = await other.superuser.query<{ note: string }>("SELECT note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1");
  await using empty = await openEmptyDatabase();
  await expect(restore({ url: empty.url, file, witnessed: row?.note ?? "" })).rejects.toMatchObject({ code: "invalid-request" });
  expect(await starts(empty.url)).toBe("database-mismatch");
});

function flipped(bytes: Buffer): Buffer {
  const place = bytes.indexOf("of two lines");
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  return bytes;
}
