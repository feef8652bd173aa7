import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMasterKey, loadMasterKey } from "./master-key.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "remit-keys-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const load = (environment: Record<string, string> = {}, dataDirectory = folder) => loadMasterKey({ environment, dataDirectory });

test("many first starts at once make one key, in a file of the owner's alone", async () => {
  const data = join(folder, "deep", "data");
  const keys = await Promise.all(Array.from({ length: 12 }, () => load({}, data)));
  const sealed = keys[0]?.seal(Buffer.from("secret"), "test") ?? Buffer.alloc(0);
  for (const key of keys) expect(key.open(sealed, "test")?.toString()).toBe("secret");
  expect(await readdir(data)).toEqual(["master.key"]);
  expect((await stat(join(data, "master.key"))).mode & 0o777).toBe(0o600);
  expect((await load({}, data)).open(sealed, "test")?.toString()).toBe("secret");
});

test("a key that others may read is refused, with the command that mends it", async () => {
  await load();
  await chmod(join(folder, "master.key"), 0o644);
  await expect(load()).rejects.toMatchObject({ code: "invalid-configuration", message: expect.stringContaining("chmod 600") });
});

test.each(["", "short", "AAAA", "A".repeat(43), "not base64 at all!"])("a file that holds %j is refused", async (text) => {
  await writeFile(join(folder, "master.key"), text, { mode: 0o600 });
  await expect(load()).rejects.toMatchObject({ code: "invalid-configuration", message: expect.stringContaining("openssl rand") });
});

test("the environment comes first, and nothing is written", async () => {
  const text = Buffer.alloc(32, 7).toString("base64");
  const sealed = (await load({ REMIT_MASTER_KEY: text })).seal(Buffer.from("x"), "c");
  expect(createMasterKey(Buffer.alloc(32, 7)).open(sealed, "c")?.toString()).toBe("x");
  expect(await readdir(folder)).toEqual([]);
  await expect(load({ REMIT_MASTER_KEY: "nonsense" })).rejects.toMatchObject({ code: "invalid-configuration" });
});

test("what was sealed opens only whole, with its key and in its context", () => {
  const key = createMasterKey(Buffer.alloc(32, 1));
  const sealed = key.seal(Buffer.from("secret"), "a");
  expect(key.open(sealed, "b")).toBeNull();
  expect(createMasterKey(Buffer.alloc(32, 2)).open(sealed, "a")).toBeNull();
  expect(key.open(sealed.subarray(0, -1), "a")).toBeNull();
  expect(key.open(Buffer.alloc(3), "a")).toBeNull();
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = Buffer.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(key.open(changed, "a")).toBeNull();
  }
});

test("a key for one purpose is the same for whoever has the master key, and no other", () => {
  const bytes = (fill: number, purpose: string) => createMasterKey(Buffer.alloc(32, fill)).derive(purpose).export().toString("hex");
  expect(bytes(1, "a")).toBe(bytes(1, "a"));
  expect(new Set([bytes(1, "a"), bytes(1, "b"), bytes(2, "a"), Buffer.alloc(32, 1).toString("hex")]).size).toBe(4);
});
