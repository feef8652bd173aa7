import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { collectFiles } from "./collect-files.ts";

async function registry(files: Record<string, string | Uint8Array>) {
  const base = await mkdtemp(join(tmpdir(), "remit-registry-"));
  const root = join(base, "registry");
  await mkdir(root);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return { base, root, [Symbol.asyncDispose]: () => rm(base, { recursive: true }) };
}

test("the files of a registry are remit.yaml and what is in its folders", async () => {
  await using folder = await registry({
    "remit.yaml": "a",
    "agents/one.yaml": "b",
    "policies/p/gates.cedar": "c",
    "prompts/p.md": "d",
    "agents/.hidden.yaml": "no",
    "agents/picture.png": "no",
    "src/code.ts": "no",
    "node_modules/x/remit.yaml": "no",
  });
  expect(await collectFiles(folder.root)).toEqual({
    "remit.yaml": "a",
    "agents/one.yaml": "b",
    "policies/p/gates.cedar": "c",
    "prompts/p.md": "d",
  });
});

test("a link that leads out of the folder is refused, and so is a folder behind a link", async () => {
  await using folder = await registry({ "remit.yaml": "a", "agents/one.yaml": "b" });
  await writeFile(join(folder.base, "secret.yaml"), "secret");
  await symlink(join(folder.base, "secret.yaml"), join(folder.root, "agents/two.yaml"));
  await symlink(folder.root, join(folder.root, "agents/loop"));
  await symlink(join(folder.root, "agents/one.yaml"), join(folder.root, "agents/same.yaml"));
  await expect(collectFiles(folder.root)).rejects.toMatchObject({
    code: "invalid-configuration",
    issues: [
      { file: "agents/loop", message: expect.stringContaining("out of the registry's folder") as string },
      { file: "agents/two.yaml", message: expect.stringContaining("out of the registry's folder") as string },
    ],
  });
});

test("what is no registry or no text is said with its name", async () => {
  await using folder = await registry({ "agents/one.yaml": "b" });
  await expect(collectFiles(folder.root)).rejects.toMatchObject({
    code: "not-found",
    message: expect.stringContaining("no remit.yaml") as string,
  });
  await expect(collectFiles(join(folder.root, "nowhere"))).rejects.toMatchObject({ code: "not-found" });
  await using broken = await registry({ "remit.yaml": "a", "agents/one.yaml": new Uint8Array([0xff, 0xfe, 0x00]) });
  await expect(collectFiles(broken.root)).rejects.toMatchObject({ issues: [{ file: "agents/one.yaml", message: "is not UTF-8 text" }] });
});
