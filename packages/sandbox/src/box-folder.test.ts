import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { makeBoxFolder, sweepBoxes } from "./box-folder.ts";

test("folders of processes that are gone are taken away, and no others", async () => {
  const own = await makeBoxFolder();
  const [, , space = ""] = basename(own).split("-");
  // A process that has ended.
  const { pid } = spawnSync("true");
  const folder = (name: string): string => {
    const path = join(dirname(own), name);
    mkdirSync(join(path, "scratch"), { recursive: true });
    writeFileSync(join(path, "scratch", "left"), "behind");
    return path;
  };
  const precious = folder(`remit-test-precious-${pid}`);
  const gone = folder(`remit-box-${space}-${pid}-AAAAAA`);
  symlinkSync(precious, join(gone, "scratch", "out"));
  const link = join(dirname(own), `remit-box-${space}-${pid}-BBBBBB`);
  symlinkSync(precious, link);
  const elsewhere = folder(`remit-box-1${space}-${pid}-CCCCCC`);
  const ours = folder(`remit-box-${space}-${process.pid}-DDDDDD`);
  const strange = folder(`remit-box-${space}-x-EEEEEE`);
  try {
    await sweepBoxes();
    expect(existsSync(gone)).toBe(false);
    for (const kept of [own, elsewhere, ours, strange, link, join(precious, "scratch", "left")]) expect(existsSync(kept), kept).toBe(true);
  } finally {
    for (const path of [own, precious, gone, link, elsewhere, ours, strange]) rmSync(path, { recursive: true, force: true });
  }
});
