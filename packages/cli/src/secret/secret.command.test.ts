import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { openTestDatabase } from "@remit/server/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import { serve } from "../up/serve.ts";
import type { Serving } from "../up/serve.ts";

let folder: string;
let database: Awaited<ReturnType<typeof openTestDatabase>>;
let serving: Serving;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "remit-secret-"));
  await mkdir(join(folder, "registry"));
  database = await openTestDatabase();
  serving = await serve({
    dataDir: join(folder, ".remit"),
    host: "127.0.0.1",
    port: 0,
    databaseUrl: database.url,
    registryDir: join(folder, "registry"),
    logLevel: "silent",
  });
});
afterAll(async () => {
  await serving.stop();
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function remit(words: string[], input: { piped?: string; typed?: string } = {}): Promise<{ code: number; out: string; err: string }> {
  const around = testSurroundings({ cwd: folder, ...(input.typed === undefined ? {} : { answers: input.typed }) });
  if (input.piped !== undefined) Object.assign(around, { stdin: Readable.from([input.piped]) });
  const code = await runCommandLine(words, around);
  return { code, out: around.out(), err: around.err() };
}

test("[CTL-07] a value goes in by a pipe, a file or unseen typing, and nothing ever shows it", async () => {
  const shown: string[] = [];
  const say = async (...all: Parameters<typeof remit>) => {
    const { code, out, err } = await remit(...all);
    shown.push(out, err);
    return { code, out };
  };
  expect(await say(["secret", "set", "crm/token"], { piped: "canary-one-value\n" })).toMatchObject({
    code: 0,
    out: "Kept crm/token, version 1.\n",
  });
  await writeFile(join(folder, "value.txt"), "canary-two-value\n");
  expect(await say(["secret", "rotate", "crm/token", "--file", "value.txt", "--overlap", "PT5M"])).toMatchObject({ code: 0 });
  expect(await say(["secret", "set", "erp/token"], { typed: "canary-three\ncanary-three\n" })).toMatchObject({ code: 0 });
  expect(await say(["secret", "set", "erp/other"], { typed: "canary-three\ncanary-four\n" })).toMatchObject({ code: 2 });
  const { out } = await say(["secret", "list"]);
  expect(out).toMatch(/crm\/token +2/);
  expect(out).toMatch(/erp\/token +1/);
  expect(await say(["secret", "list", "--json"])).toMatchObject({ code: 0 });
  expect(await say(["secret", "rm", "erp/token", "--yes"])).toMatchObject({ code: 0, out: "Destroyed erp/token.\n" });
  expect(shown.join("\n")).not.toContain("canary");
});

test("[CTL-07] a value on the command line is not taken", async () => {
  const { code, out, err } = await remit(["secret", "set", "crm/other", "canary-on-argv"]);
  expect(code).toBe(2);
  expect(out + err).not.toContain("canary-on-argv");
  expect((await remit(["secret", "list"])).out).not.toContain("crm/other");
});

test("what cannot be kept is refused in words", async () => {
  expect(await remit(["secret", "set", "Not A Path"], { piped: "a-value-here" })).toMatchObject({ code: 2 });
  expect(await remit(["secret", "set", "crm/token"], { piped: "" })).toMatchObject({
    code: 2,
    err: expect.stringContaining("empty") as string,
  });
  expect(await remit(["secret", "set", "crm/token"], { piped: "a-value-here" })).toMatchObject({
    code: 1,
    err: expect.stringContaining("remit secret rotate crm/token") as string,
  });
  expect(await remit(["secret", "rotate", "no/such"], { piped: "a-value-here" })).toMatchObject({ code: 1 });
  expect(await remit(["secret", "revoke", "sideways:x", "--reason", "r"])).toMatchObject({ code: 2 });
});

test("leases and consents are listed, and revoked by scope", async () => {
  expect(await remit(["secret", "leases"])).toMatchObject({ code: 0, out: "Nobody may use any credential now.\n" });
  expect(await remit(["secret", "revoke", "prefix:crm", "--reason", "a drill"])).toMatchObject({
    code: 0,
    out: "Ended 0 leases of prefix:crm.\n",
  });
  expect(await remit(["connect"])).toMatchObject({ code: 0, out: "No upstream has asked for a consent.\n" });
  expect(await remit(["connect", "crm"])).toMatchObject({ code: expect.not.stringMatching(/^0$/) as number });
});
