import { execFile } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBundle, openFolder, testKey, writeFolder } from "./bundle.testing.ts";

const run = promisify(execFile);
const key = testKey();
let folder: Awaited<ReturnType<typeof openFolder>>;

/** This Node, and the oldest that is promised where the machine has one. */
const nodes = [process.execPath];

beforeAll(async () => {
  folder = await openFolder();
  await run(process.execPath, [resolve(import.meta.dirname, "../build.ts"), "--out", join(folder.path, "built/remit-verify.mjs")]);
  await writeFolder(join(folder.path, "bundle"), await makeBundle({ size: 50, key }));
  const { stdout } = await run("/usr/bin/node", ["--version"]).catch(() => ({ stdout: "" }));
  if (/^v(?:20|22)\./.test(stdout)) nodes.push("/usr/bin/node");
  else console.log("remit-verify is tried on this Node alone: there is no Node 20 or 22 at /usr/bin/node");
});
afterAll(() => folder[Symbol.asyncDispose]());

async function verifier(node: string, words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  // A folder of its own, with the one file in it: nothing can be found beside it.
  await using empty = await openFolder();
  const file = join(empty.path, "remit-verify.mjs");
  await cp(join(folder.path, "built/remit-verify.mjs"), file);
  const done = await run(node, [file, ...words], { cwd: empty.path, env: { PATH: "/usr/bin:/bin" } }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, out: error.stdout, err: error.stderr }),
  );
  return done;
}

test("[AUD-14] the built file is one file that needs nothing but Node", async () => {
  const text = await readFile(join(folder.path, "built/remit-verify.mjs"), "utf8");
  const imports = [...text.matchAll(/^(?:import|export)\b.*\bfrom "([^"]+)";$|^import "([^"]+)";$/gm)].map(
    ([, from, bare]) => from ?? bare ?? "",
  );
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter((name) => !name.startsWith("node:"))).toEqual([]);
  // Nothing to talk to anybody with, and nothing to start anything with.
  expect(
    imports.filter((name) => !["node:fs", "node:fs/promises", "node:path", "node:util", "node:crypto", "node:buffer"].includes(name)),
  ).toEqual([]);
  expect(text).not.toMatch(/\bimport\(|\brequire\(|\bfetch\(|\beval\(|new Function\(/);
  expect(text.length).toBeLessThan(200_000);
});

test("[AUD-14] it verifies offline in an empty folder, and says by its exit code how it ended", async () => {
  const bundle = join(folder.path, "bundle");
  const keys = join(folder.path, "keys.txt");
  await writeFile(keys, `# the ledger's keys\n${key.text}\n`);
  for (const node of nodes) {
    expect(await verifier(node, [bundle, "--keys", keys, "--allow-unanchored"])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^OK: /) as string,
    });
    expect(await verifier(node, [bundle, "--key", key.text])).toMatchObject({
      code: 4,
      out: expect.stringMatching(/^UNANCHORED/) as string,
    });
    expect(await verifier(node, [bundle])).toMatchObject({ code: 3, out: expect.stringMatching(/^UNTRUSTED KEY/) as string });
    expect(await verifier(node, [bundle, "--key", testKey().text])).toMatchObject({ code: 1 });
    expect(await verifier(node, [])).toMatchObject({ code: 2, err: expect.stringMatching(/Name one bundle/) as string });
    expect(await verifier(node, [bundle, "--key", "nonsense"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/not a verifier key/) as string,
    });
    expect(await verifier(node, [bundle, "--keys", "/nowhere"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/Cannot read/) as string,
    });
    expect(await verifier(node, [bundle, "--kez", "x"])).toMatchObject({ code: 2 });
    expect(await verifier(node, ["/nowhere", "--key", key.text])).toMatchObject({ code: 3 });
    const { code, out } = await verifier(node, ["--help"]);
    expect(code).toBe(0);
    for (const word of ["ok", "tampered", "usage", "incomplete", "unanchored", "--allow-unanchored"]) expect(out).toContain(word);
    const json = await verifier(node, [bundle, "--key", key.text, "--json"]);
    expect(JSON.parse(json.out)).toMatchObject({ verdict: "unanchored", exit: 4, checked: 50, firstWrong: null, problems: [] });
  }
});
