import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { examine } from "./doctor.ts";
import type { Finding } from "./finding.ts";
import { readPostmaster, stopPostmaster } from "./postmaster.ts";
import { startDatabase } from "./start-database.ts";
import { openEmptyDatabase, openTestDatabase } from "./testing.ts";

const ailments = (findings: Finding[]) => findings.filter((finding) => !finding.ok).map((finding) => finding.check);
const find = (findings: Finding[], check: string) => findings.find((finding) => finding.check === check);

test("a data folder before, during and after a server is well, and what is wrong is found", async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), "remit-doctor-"));
  await chmod(dataFolder, 0o711);
  expect(find(await examine({ dataFolder }), "cluster")?.message).toContain("the first start makes one");
  const started = await startDatabase({ dataFolder });
  const during = await examine({ dataFolder });
  expect(ailments(during)).toEqual([]);
  expect(during.map((finding) => finding.check)).toEqual(
    "data-folder disk-space binaries cluster server port schema identity role ledger durability clock".split(" "),
  );
  await writeFile(join(dataFolder, "instance"), "another\n");
  expect(find(await examine({ dataFolder }), "identity")).toMatchObject({
    ok: false,
    fix: expect.stringContaining("REMIT_DATA_DIR") as string,
  });
  await started.stop();
  expect(find(await examine({ dataFolder }), "server")).toMatchObject({
    ok: true,
    message: expect.stringContaining("not running") as string,
  });
  await writeFile(join(dataFolder, "postgres", "record.json"), "{}");
  expect(ailments(await examine({ dataFolder }))).toEqual(["cluster"]);
  const cluster = join(dataFolder, "postgres", "data");
  const left = await readPostmaster(cluster);
  if (left) await stopPostmaster(left.pid, cluster);
  await rm(dataFolder, { recursive: true });
});

test("no programs, no database, no schema: each has its words and its fix", async () => {
  const nothing = await examine({ dataFolder: "/nonexistent/remit", environment: { REMIT_POSTGRES_BIN: "/nonexistent" } });
  expect(find(nothing, "binaries")).toMatchObject({ ok: false, fix: expect.stringContaining("Install PostgreSQL") as string });
  const away = await examine({ dataFolder: "/nonexistent", url: "postgres://nobody:secret@127.0.0.1:1/none" });
  expect(away).toMatchObject([{ check: "connection", ok: false }]);
  expect(JSON.stringify(away)).not.toContain("secret");
  await using empty = await openEmptyDatabase();
  expect(ailments(await examine({ dataFolder: "/nonexistent", url: empty.url }))).toEqual(expect.arrayContaining(["schema", "identity"]));
});

test("[AUD-14] a ledger that the application may change is an ailment", async () => {
  await using test = await openTestDatabase();
  const look = () => examine({ dataFolder: "/nonexistent", url: test.url });
  expect(find(await look(), "ledger")?.ok).toBe(true);
  await test.superuser.query("GRANT UPDATE (seq) ON ledger_leaf TO remit_app");
  expect(find(await look(), "ledger")).toMatchObject({ ok: false, message: "The application may UPDATE ledger_leaf." });
  await test.superuser.query("INSERT INTO remit_migration VALUES (999999, '999999-later.sql', '')");
  expect(find(await look(), "schema")).toMatchObject({ ok: false, message: expect.stringContaining("newer") as string });
});
