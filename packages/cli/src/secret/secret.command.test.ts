import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Input, Served } from "../up/served.testing.ts";
import { serveRegistry } from "../up/served.testing.ts";

let served: Served;
beforeAll(async () => {
  served = await serveRegistry({});
});
afterAll(() => served.stop());

const remit = (args: readonly string[], input?: Input) => served.remit(args, input);

test("[CTL-07] a value goes in by a pipe, a file or unseen typing, and nothing ever shows it", async () => {
  const shown: string[] = [];
  const say = async (...all: Parameters<typeof remit>) => {
    const { exit, out, err } = await remit(...all);
    shown.push(out, err);
    return { exit, out };
  };
  expect(await say(["secret", "set", "crm/token"], { piped: "canary-one-value\n" })).toMatchObject({
    exit: 0,
    out: "Kept crm/token, version 1.\n",
  });
  await writeFile(join(served.folder, "value.txt"), "canary-two-value\n");
  expect(await say(["secret", "rotate", "crm/token", "--file", "value.txt", "--overlap", "PT5M"])).toMatchObject({ exit: 0 });
  expect(await say(["secret", "set", "erp/token"], { answers: "canary-three\ncanary-three\n" })).toMatchObject({ exit: 0 });
  expect(await say(["secret", "set", "erp/other"], { answers: "canary-three\ncanary-four\n" })).toMatchObject({ exit: 2 });
  const { out } = await say(["secret", "list"]);
  expect(out).toMatch(/crm\/token +2/);
  expect(out).toMatch(/erp\/token +1/);
  expect(await say(["secret", "list", "--json"])).toMatchObject({ exit: 0 });
  expect(await say(["secret", "rm", "erp/token", "--yes"])).toMatchObject({ exit: 0, out: "Destroyed erp/token.\n" });
  expect(shown.join("\n")).not.toContain("canary");
});

test("[CTL-07] a value on the command line is not taken", async () => {
  const { exit, out, err } = await remit(["secret", "set", "crm/other", "canary-on-argv"]);
  expect(exit).toBe(2);
  expect(out + err).not.toContain("canary-on-argv");
  expect((await remit(["secret", "list"])).out).not.toContain("crm/other");
});

test("what cannot be kept is refused in words", async () => {
  expect(await remit(["secret", "set", "Not A Path"], { piped: "a-value-here" })).toMatchObject({ exit: 2 });
  expect(await remit(["secret", "set", "crm/token"], { piped: "" })).toMatchObject({
    exit: 2,
    err: expect.stringContaining("empty") as string,
  });
  expect(await remit(["secret", "set", "crm/token"], { piped: "a-value-here" })).toMatchObject({
    exit: 1,
    err: expect.stringContaining("remit secret rotate crm/token") as string,
  });
  expect(await remit(["secret", "rotate", "no/such"], { piped: "a-value-here" })).toMatchObject({ exit: 1 });
  expect(await remit(["secret", "revoke", "sideways:x", "--reason", "r"])).toMatchObject({ exit: 2 });
});

test("leases and consents are listed, and revoked by scope", async () => {
  expect(await remit(["secret", "leases"])).toMatchObject({ exit: 0, out: "Nobody may use any credential now.\n" });
  expect(await remit(["secret", "revoke", "prefix:crm", "--reason", "a drill"])).toMatchObject({
    exit: 0,
    out: "Ended 0 leases of prefix:crm.\n",
  });
  expect(await remit(["connect"])).toMatchObject({ exit: 0, out: "No upstream has asked for a consent.\n" });
  expect(await remit(["connect", "crm"])).toMatchObject({ exit: 3, err: expect.stringContaining("no registry") as string });
});
