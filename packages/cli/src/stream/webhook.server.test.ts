import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Served } from "../up/served.testing.ts";
import { serveRegistry } from "../up/served.testing.ts";

const patient = { timeout: 30_000, interval: 50 };
let served: Served;
let address: string;
let status = 200;
const got: Record<string, unknown>[] = [];
const endpoint = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += String(chunk)));
  request.on("end", () => {
    got.push(JSON.parse(body) as Record<string, unknown>);
    response.writeHead(status).end();
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/remit`;
  served = await serveRegistry({}, { REMIT_OUTBOUND_ALLOW: "127.0.0.0/8" });
});
afterAll(async () => {
  await served.stop();
  endpoint.closeAllConnections();
  endpoint.close();
});

const remit = (...args: string[]) => served.remit(["webhook", ...args]);

test("from its first event to its last, an endpoint is managed from the command line", async () => {
  expect((await remit("list")).out).toContain("Events are sent nowhere.");
  const added = await remit("add", address, "--types", "server-*", "--from", "0", "--description", "service desk", "--json");
  expect(added.exit).toBe(0);
  const { webhook, secret } = JSON.parse(added.out) as { webhook: { id: string }; secret: string };
  expect(secret).toMatch(/^whsec_/);
  await vi.waitFor(() => expect(got.map(({ type }) => type)).toEqual(["dev.remit.server-started"]), patient);

  expect((await remit("test", webhook.id)).out).toMatch(/^Taken with 200 after \d+ ms\.\n$/);
  status = 500;
  expect(await remit("test", webhook.id)).toMatchObject({ exit: 1, out: "Not taken: The endpoint answered 500.\n" });
  status = 200;

  await vi.waitFor(async () => {
    const { out } = await remit("deliveries", webhook.id);
    expect(out).toMatch(/server-star.* +1 +taken, 200/);
  }, patient);
  const shown = await remit("show", webhook.id);
  expect(shown.out).toContain("for           service desk");
  expect(shown.out).toContain("public key    whpk_");
  expect(shown.out).not.toContain(secret);
  expect((await remit("list")).out).toContain(webhook.id);

  const rotated = await remit("rotate-secret", webhook.id, "--overlap", "7d");
  expect(rotated.out).toMatch(/secret {2}whsec_/);
  expect((await remit("show", webhook.id)).out).toMatch(/version 1, made .*, ends in 6 d 23 h/);

  expect((await remit("pause", webhook.id, "--reason", "moving")).out).toContain("paused: moving");
  expect(await remit("pause", webhook.id, "--reason", "moving")).toMatchObject({ exit: 1 });
  expect((await remit("resume", webhook.id)).out).toContain("state         active");
  const before = got.length;
  expect((await remit("replay", webhook.id, "--from", "0")).exit).toBe(0);
  await vi.waitFor(() => expect(got.length).toBeGreaterThan(before), patient);
  expect((await remit("dead-letters", webhook.id)).out).toBe("No event was given up.\n");
  expect((await remit("dead-letters", webhook.id, "--retry")).out).toBe("0 of them wait to be sent again.\n");

  expect(await remit("rm", webhook.id)).toMatchObject({ exit: 2 });
  expect((await remit("rm", webhook.id, "--yes")).out).toBe(`${webhook.id} is removed.\n`);
  expect(await remit("show", webhook.id)).toMatchObject({ exit: 1 });
});

test.each<[string[], string]>([
  [["add", "ftp://example.com/"], "expected an absolute https URL"],
  [["add", "https://user:word@example.com/"], "leave out user name"],
  [["add", "https://example.com/", "--types", "approval-vanished"], "there is no event type"],
  [["add", "https://example.com/", "--from", "later"], "is not a sequence number"],
  [["add", "https://example.com/", "--from", "999999"], "there is no place"],
  [["replay", `whk_${"0".repeat(32)}`], "--from <sequence> or --event"],
  [["rotate-secret", "whk_1", "--overlap", "soon"], "expected a duration"],
  [["show", "run_1"], "whk_"],
])("remit webhook %j says what is wrong", async (args, says) => {
  const { exit, err } = await remit(...args);
  expect(exit).toBe(2);
  expect(err).toContain(says);
});
