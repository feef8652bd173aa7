import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fill, openEmptyDatabase, openTestLedger } from "@remit/server/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";

let folder: string;
let original: Awaited<ReturnType<typeof openTestLedger>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "remit-backup-cli-"));
  original = await openTestLedger();
  await fill(original, [5]);
});
afterAll(async () => {
  await original[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function remit(url: string, ...args: string[]) {
  const around = testSurroundings({ cwd: folder, env: { HOME: folder, DATABASE_URL: url } });
  const exit = await runCommandLine(args, around);
  return { exit, out: around.out(), err: around.err() };
}

test("[SAF-21] a backup is made and restored from the command line, and one whose ledger has gone back says so by its exit", async () => {
  const made = await remit(original.url, "backup", "-o", "remit.backup");
  expect(made).toMatchObject({ exit: 0 });
  expect(made.out).toMatch(/ledger: 5 entries, root /);
  expect(made.err).toContain("The master key is not in it");
  expect((await stat(join(folder, "remit.backup"))).mode & 0o777).toBe(0o600);
  expect(await remit(original.url, "backup", "-o", "remit.backup")).toMatchObject({ exit: 1 });
  expect(await remit(original.url, "backup", "-o", "remit.backup", "--force")).toMatchObject({ exit: 0 });
  // Into a database that is not empty nothing is restored.
  expect(await remit(original.url, "restore", "remit.backup")).toMatchObject({ exit: 1 });

  await using empty = await openEmptyDatabase();
  const restored = await remit(empty.url, "restore", "remit.backup");
  expect(restored).toMatchObject({ exit: 0 });
  expect(restored.out).toContain("ledger: 5 entries, verified");
  expect(restored.err).toContain("entries since the backup may be missing");

  await fill(original, [2]);
  const [last] = await original.superuser.query<{ note: string }>("SELECT note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1");
  // As the server shows it.
  await writeFile(join(folder, "checkpoint.json"), JSON.stringify({ note: last?.note }));
  await using another = await openEmptyDatabase();
  const gone = await remit(another.url, "restore", "remit.backup", "--witnessed", "checkpoint.json");
  expect(gone).toMatchObject({ exit: 1 });
  expect(gone.out).toContain("GONE BACK: 7 entries were witnessed, 2 of them are lost.");
  await writeFile(join(folder, "checkpoint.json"), "{}");
  expect(await remit(another.url, "restore", "remit.backup", "--witnessed", "checkpoint.json")).toMatchObject({ exit: 2 });
});
