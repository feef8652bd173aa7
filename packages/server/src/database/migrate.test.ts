import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDatabase } from "./database.postgres.ts";
import { migrate, readMigrations } from "./migrate.ts";
import { openEmptyDatabase, openTestDatabase } from "./testing.ts";

async function folderOf(files: Record<string, string>): Promise<AsyncDisposable & { folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "remit-migrate-"));
  for (const [name, sql] of Object.entries(files)) await writeFile(join(folder, name), sql);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

const one = { "000001-one.sql": "CREATE TABLE one (id integer); GRANT SELECT ON one TO remit_app;" };
const two = { ...one, "000002-two.sql": "CREATE TABLE two (id integer);" };

test("applies what is new, in order, once, and keeps the database's identity", async () => {
  await using empty = await openEmptyDatabase();
  await using first = await folderOf(one);
  await using second = await folderOf(two);
  const before = await migrate({ url: empty.url, folder: first.folder });
  expect(before).toMatchObject({ applied: ["000001-one.sql"], schema: 1 });
  const after = await migrate({ url: empty.url, folder: second.folder });
  expect(after).toEqual({ instance: before.instance, applied: ["000002-two.sql"], schema: 2 });
  expect((await migrate({ url: empty.url, folder: second.folder })).applied).toEqual([]);
});

const contracting = { ...one, "000002-two.sql": "-- contracts: it is not needed any more\nALTER TABLE one DROP COLUMN id;" };

test("refuses a schema that is newer than this version and takes something away, and says what to do", async () => {
  await using empty = await openEmptyDatabase();
  await using newer = await folderOf(contracting);
  await using older = await folderOf(one);
  await migrate({ url: empty.url, folder: newer.folder });
  await expect(migrate({ url: empty.url, folder: older.folder })).rejects.toMatchObject({
    code: "schema-newer",
    message: expect.stringMatching(/migrated to 000002-two\.sql.*knows migrations up to 000001-one\.sql.*later one/s) as string,
  });
});

test("[RUN-29] goes on beside a later version that has only added to the schema", async () => {
  await using empty = await openEmptyDatabase();
  await using newer = await folderOf(two);
  await using older = await folderOf(one);
  await migrate({ url: empty.url, folder: newer.folder });
  expect(await migrate({ url: empty.url, folder: older.folder })).toMatchObject({ applied: [], schema: 1 });
});

test("[RUN-29] takes nothing away from under servers that are running", async () => {
  await using test = await openTestDatabase();
  const migrations = await readMigrations();
  await using later = await folderOf({
    ...Object.fromEntries(migrations.map(({ name, sql }) => [name, sql])),
    "999999-less.sql": "-- contracts: nobody asks for it\nALTER TABLE server_instance DROP COLUMN version;",
  });
  await test.superuser.query("INSERT INTO server_instance (id, name) VALUES (gen_random_uuid(), 'web-1:7447')");
  await expect(migrate({ url: test.url, folder: later.folder })).rejects.toMatchObject({ code: "conflict" });
  await test.superuser.query("UPDATE server_instance SET heartbeat_at = heartbeat_at - interval '1 minute'");
  expect((await migrate({ url: test.url, folder: later.folder })).applied).toEqual(["999999-less.sql"]);
});

/** What a server of the version before may still use, or would have to know of. */
const takesAway = [
  /\bDROP\s+(TABLE|COLUMN|VIEW|FUNCTION|CONSTRAINT|TYPE|DEFAULT)\b/i,
  /\bRENAME\b/i,
  /\bALTER\s+COLUMN\b/i,
  /\bTRUNCATE\b/i,
  /\bADD\s+COLUMN\b(?![^,;]*\bDEFAULT\b)[^,;]*\bNOT\s+NULL\b/i,
];

test("[RUN-29] every migration since the first version only adds, or says that it does not", async () => {
  const since = (await readMigrations()).filter(({ number }) => number > 12);
  const silent = since.filter(({ expands, sql }) => {
    const statements = sql.replaceAll(/--.*$/gm, "");
    return expands && takesAway.some((pattern) => pattern.test(statements));
  });
  expect(silent.map(({ name }) => name)).toEqual([]);
});

test("refuses a file that was changed after it was applied", async () => {
  await using empty = await openEmptyDatabase();
  await using before = await folderOf(one);
  await using after = await folderOf({ "000001-one.sql": "CREATE TABLE one (id bigint);" });
  await migrate({ url: empty.url, folder: before.folder });
  await expect(migrate({ url: empty.url, folder: after.folder })).rejects.toMatchObject({ code: "database-mismatch" });
});

test("a file that fails leaves nothing behind, names its line, and those before it stay", async () => {
  await using empty = await openEmptyDatabase();
  await using broken = await folderOf({ ...one, "000002-two.sql": "CREATE TABLE two (id integer);\nCREATE TABEL three ();" });
  await expect(migrate({ url: empty.url, folder: broken.folder })).rejects.toMatchObject({
    code: "invalid-configuration",
    message: expect.stringMatching(/000002-two\.sql failed and left nothing behind: .*TABEL.*\(line 2\)/s) as string,
  });
  await using repaired = await folderOf(two);
  expect((await migrate({ url: empty.url, folder: repaired.folder })).applied).toEqual(["000002-two.sql"]);
});

test("eight starters at once: each file is applied once, and all see the same database", async () => {
  await using empty = await openEmptyDatabase();
  await using folder = await folderOf(two);
  const all = await Promise.all(Array.from({ length: 8 }, () => migrate({ url: empty.url, folder: folder.folder })));
  expect(all.flatMap((migrated) => migrated.applied).sort()).toEqual(Object.keys(two));
  expect(new Set(all.map((migrated) => migrated.instance)).size).toBe(1);
});

test("a login that may not make the role says which statements an administrator has to run", async () => {
  await using empty = await openEmptyDatabase();
  await using folder = await folderOf(one);
  const superuser = openDatabase({ url: empty.url, role: null, poolSize: 1 });
  const login = `remit_plain_${process.pid}`;
  await superuser.query(`CREATE ROLE ${login} LOGIN PASSWORD 'plain'; GRANT ALL ON SCHEMA public TO ${login}`);
  const url = new URL(empty.url);
  url.username = login;
  url.password = "plain";
  await superuser.query("DO $$ BEGIN CREATE ROLE remit_app NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
  await expect(migrate({ url: url.toString(), folder: folder.folder })).rejects.toMatchObject({
    code: "invalid-configuration",
    message: expect.stringContaining("GRANT remit_app TO") as string,
  });
  await superuser.query(`GRANT remit_app TO ${login}`);
  expect((await migrate({ url: url.toString(), folder: folder.folder })).applied).toEqual(["000001-one.sql"]);
  // And the application, having taken its role from that login, has what was granted and no more.
  const database = openDatabase({ url: url.toString(), poolSize: 1 });
  expect(await database.query("SELECT * FROM one")).toEqual([]);
  await expect(database.query("INSERT INTO one VALUES (1)")).rejects.toMatchObject({ code: "42501" });
  await database.close();
  await superuser.query(`REASSIGN OWNED BY ${login} TO CURRENT_USER; DROP OWNED BY ${login}; DROP ROLE ${login}`);
  await superuser.close();
});

test.each([{ "1-one.sql": "" }, { "000001-One.sql": "" }, { "000001-one.sql": "", "000001-two.sql": "" }])(
  "a misnamed file is refused: %o",
  async (files) => {
    await using folder = await folderOf(files);
    await expect(readMigrations(folder.folder)).rejects.toMatchObject({ code: "invalid-configuration" });
  },
);
