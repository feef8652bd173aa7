import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openMachineKey } from "./machine-key.ts";

const folders: string[] = [];
afterEach(() => Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true }))));
async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "remit-machine-key-"));
  folders.push(made);
  return join(made, "data");
}

test("servers that start at once in a new folder agree on one key, which only its owner can read", async () => {
  const data = await folder();
  const keys = await Promise.all(Array.from({ length: 8 }, () => openMachineKey(data)));
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^remit_machine_[A-Za-z0-9_-]{43}$/);
  expect((await stat(join(data, "machine.key"))).mode & 0o777).toBe(0o600);
  expect(await readdir(data)).toEqual(["machine.key"]);
  expect(await openMachineKey(data)).toBe(keys[0]);
});

test("a key that others can read, or that is none, is refused with what to do", async () => {
  const data = await folder();
  await openMachineKey(data);
  const path = join(data, "machine.key");
  await chmod(path, 0o644);
  await expect(openMachineKey(data)).rejects.toThrow(`chmod 600 ${path}`);
  await chmod(path, 0o600);
  await writeFile(path, "short\n");
  await expect(openMachineKey(data)).rejects.toThrow(/does not hold a machine key/);
});
