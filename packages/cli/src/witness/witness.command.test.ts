import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "remit-witness-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function remit(...words: string[]) {
  const around = testSurroundings({ cwd: folder });
  const code = await runCommandLine(words, around);
  return { code, out: around.out(), err: around.err() };
}

const log = "ledger.example/a+1f2e3d4c+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

test("a witness is made, shows its key and the line for the policy, and is served", async () => {
  const made = await remit("witness", "init", "w", "--name", "witness.example.org/1", "--post-quantum", "--json");
  expect(made.code).toBe(0);
  const { keys, policy } = JSON.parse(made.out) as { keys: string[]; policy: string[] };
  expect(keys.map((key) => key.split("+")[0])).toEqual(["witness.example.org/1", "witness.example.org/1"]);
  expect(policy[0]).toBe(`witness witness-example-org-1 ${keys[0]} https://…`);
  expect((await remit("witness", "key", "w")).out).toContain(keys[1]);

  // The id of that key is another one: it was mistyped.
  expect(await remit("witness", "watch", "w", log)).toMatchObject({ code: 2, err: expect.stringContaining("verifier key") as string });
  const watched = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  expect((await remit("witness", "watch", "w", watched)).out).toContain(`watches  ${watched}`);

  const other = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2l";
  expect(await remit("witness", "unwatch", "w", other)).toMatchObject({ code: 2 });
  expect((await remit("witness", "unwatch", "w", watched)).out).toContain("watches  nothing yet");
  expect(await remit("witness", "unwatch", "w", watched)).toMatchObject({
    code: 1,
    err: expect.stringContaining("does not watch") as string,
  });
  expect((await remit("witness", "watch", "w", watched)).code).toBe(0);

  const around = testSurroundings({ cwd: folder });
  const serving = runCommandLine(["witness", "serve", "w", "--port", "0", "--json"], around);
  await vi.waitFor(() => expect(around.out()).toContain("url"), { timeout: 30_000 });
  const { url } = JSON.parse(around.out()) as { url: string };
  expect(await (await fetch(url)).text()).toContain("watches example.com/foo");
  around.interrupt();
  expect(await serving).toBe(0);
});

test("what is wrong is said", async () => {
  expect(await remit("witness", "key", "nowhere")).toMatchObject({ code: 1, err: expect.stringContaining("remit witness init") as string });
  expect(await remit("witness", "init", "w2")).toMatchObject({ code: 2 });
  expect(await remit("witness", "init", "w2", "--name", "a+b")).toMatchObject({ code: 2 });
});
