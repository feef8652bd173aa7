import { execFileSync } from "node:child_process";
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseWitnessPolicy } from "@remit/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noteCrypto } from "../keys/note-crypto.ts";
import { openAnchoredLedger } from "./anchors.testing.ts";
import type { AnchoredLedger } from "./anchors.testing.ts";
import { fileSink } from "./file-sink.ts";
import { gitSink } from "./git-sink.ts";
import { readSinks } from "./read-sinks.ts";
import type { Sink } from "./sink.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "remit-sinks-"));
});
afterAll(() => rm(folder, { recursive: true }));

const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
const git = (...args: string[]) => execFileSync("git", args, { env, encoding: "utf8" }).trim();

async function watch(ledger: AnchoredLedger, sinks: Sink[]) {
  const reading = parseWitnessPolicy(noteCrypto.hash, "quorum none\n");
  if (reading.type === "refused") throw new Error("no policy");
  const anchors = await ledger.watch(reading.policy, { sinks });
  return async () => {
    await ledger.hurry();
    await anchors.turn();
    return { view: await anchors.view(), verdict: await ledger.audit(anchors).verify() };
  };
}

async function rollBack(ledger: AnchoredLedger, size: number) {
  await ledger.superuser.query("DELETE FROM ledger_checkpoint WHERE size > $1", [size]);
  await ledger.superuser.query("DELETE FROM ledger_entry WHERE id IN (SELECT entry_id FROM ledger_leaf WHERE seq >= $1)", [size]);
  await ledger.superuser.query("DELETE FROM ledger_leaf WHERE seq >= $1", [size]);
  // Whoever sequences reads what is there now.
  await ledger.superuser.query("UPDATE ledger_sequencer SET epoch = epoch + 1, expires_at = '-infinity'");
}

describe("a git repository", () => {
  test("[AUD-14] gets a commit for each checkpoint, on a branch of its own, and shows when the ledger was put back", async () => {
    const [bare, worked] = [join(folder, "kept.git"), join(folder, "worked")];
    git("init", "-q", "--bare", bare);
    git("init", "-q", "-b", "main", worked);
    git("-C", worked, "remote", "add", "elsewhere", bare);
    // What is in the way of people's commits is in the way of none of these.
    await writeFile(join(worked, ".git", "hooks", "pre-push"), "#!/bin/sh\nexit 1\n");
    await writeFile(join(worked, ".git", "hooks", "reference-transaction"), "#!/bin/sh\nexit 1\n");
    for (const hook of ["pre-push", "reference-transaction"]) await chmod(join(worked, ".git", "hooks", hook), 0o755);
    await writeFile(join(worked, "mine.txt"), "not to be touched");

    await using ledger = await openAnchoredLedger();
    const turn = await watch(ledger, [gitSink({ repository: worked, remote: "elsewhere" })]);
    await ledger.fill(3);
    expect((await turn()).view).toMatchObject({ status: "UNANCHORED", sinks: [{ size: 4, problem: null }] });
    await ledger.fill(3);
    const { view, verdict } = await turn();
    expect([view.sinks[0]?.size, verdict.ok, verdict.anchoring]).toEqual([7, true, "UNANCHORED"]);
    expect(git("-C", bare, "log", "--format=%s", "remit-ledger").split("\n")).toEqual([
      "Checkpoint of 7 entries",
      "Checkpoint of 4 entries",
    ]);
    expect(git("-C", bare, "show", "remit-ledger:checkpoint").split("\n")[1]).toBe("7");
    expect(git("-C", worked, "status", "--porcelain")).toBe("?? mine.txt");

    await rollBack(ledger, 4);
    const after = await turn();
    expect(after.verdict.ok).toBe(false);
    expect(after.verdict.problems.map(({ what }) => what).join()).toContain("git:");
    expect(after.view.words).toContain("SPLIT VIEW");
    expect(git("-C", bare, "rev-list", "--count", "remit-ledger")).toBe("2");
  });

  test("[AUD-14] that was changed elsewhere is not pushed over; one that holds something else is not added to", async () => {
    const [bare, worked, other] = [join(folder, "moved.git"), join(folder, "moved"), join(folder, "other")];
    git("init", "-q", "--bare", bare);
    git("init", "-q", "-b", "main", worked);
    git("-C", worked, "remote", "add", "elsewhere", bare);
    await using ledger = await openAnchoredLedger();
    const turn = await watch(ledger, [gitSink({ repository: worked, remote: "elsewhere" })]);
    await ledger.fill(2);
    await turn();
    git("clone", "-q", "-b", "remit-ledger", bare, other);
    git("-C", other, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "somebody else");
    git("-C", other, "push", "-q", "origin", "remit-ledger");
    await ledger.fill(2);
    expect((await turn()).view.sinks[0]?.problem).toContain("git push failed");
    expect(git("-C", bare, "log", "-1", "--format=%s", "remit-ledger")).toBe("somebody else");

    const foreign = join(folder, "foreign");
    git("init", "-q", "-b", "remit-ledger", foreign);
    await writeFile(join(foreign, "checkpoint"), "a shopping list\n");
    git("-C", foreign, "add", ".");
    git("-C", foreign, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "mine");
    const into = await watch(ledger, [gitSink({ repository: foreign }), gitSink({ repository: join(folder, "nowhere") })]);
    const { view } = await into();
    expect(view.sinks.map(({ problem }) => problem)).toEqual([
      expect.stringContaining("not one that this ledger signed"),
      expect.stringMatching(/git rev-parse failed|ENOENT/),
    ]);
    expect(git("-C", foreign, "rev-list", "--count", "HEAD")).toBe("1");
  });
});

describe("a file", () => {
  test("[AUD-14] gets a line for each checkpoint, also after a crash in the middle of one, and shows when the ledger was put back", async () => {
    const file = join(folder, "kept.jsonl");
    await using ledger = await openAnchoredLedger();
    const turn = await watch(ledger, [fileSink(file)]);
    await ledger.fill(3);
    await turn();
    const { size } = await stat(file);
    await appendFile(file, await readFile(file));
    await truncate(file, size + 20);
    await ledger.fill(3);
    expect((await turn()).verdict).toMatchObject({ ok: true });
    const lines = (await readFile(file, "utf8")).trim().split("\n");
    expect(lines).toHaveLength(3);
    expect((JSON.parse(lines[2] ?? "") as { note: string }).note.split("\n")[1]).toBe("7");
    await rollBack(ledger, 4);
    const { view, verdict } = await turn();
    expect(verdict.ok).toBe(false);
    expect(view.splitViews).toMatchObject([{ seenAt: `file:${file}` }]);
    expect((await readFile(file, "utf8")).trim().split("\n")).toHaveLength(3);
  });

  test("that holds something else is not added to", async () => {
    const file = join(folder, "list.txt");
    await writeFile(file, "a shopping list\n");
    await mkdir(join(folder, "directory"));
    await using ledger = await openAnchoredLedger();
    const turn = await watch(ledger, [fileSink(file), fileSink(join(folder, "directory"))]);
    await ledger.fill(1);
    const { view } = await turn();
    expect(view.sinks[0]?.problem).toContain("is not added to");
    expect(view.sinks[1]?.problem).toContain("EISDIR");
    expect(await readFile(file, "utf8")).toBe("a shopping list\n");
  });
});

test("where they are is said by whoever runs the machine", () => {
  const places = readSinks({ REMIT_LEDGER_SINKS: "file:/var/kept.jsonl, git:/srv/kept#main@origin,git:/srv/other" }).map(
    ({ place }) => place,
  );
  expect(places).toEqual(["file:/var/kept.jsonl", "git:/srv/kept#main", "git:/srv/other#remit-ledger"]);
  expect(readSinks({})).toEqual([]);
  for (const bad of [
    "file:kept",
    "/var/kept",
    "git:/srv/kept#--force",
    "git:/srv/kept@--upload-pack=x",
    "git:/a#b/../c",
    "s3:/bucket",
    "file:/a#b",
  ]) {
    expect(() => readSinks({ REMIT_LEDGER_SINKS: bad })).toThrow(expect.objectContaining({ code: "invalid-configuration" }) as Error);
  }
});
