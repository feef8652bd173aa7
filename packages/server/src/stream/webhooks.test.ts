import { createPublicKey, verify } from "node:crypto";
import { sequenceOf } from "@remit/contract";
import type { Id, StreamedEvent } from "@remit/contract";
import { Webhook } from "standardwebhooks";
import { expect, test, vi } from "vitest";
import { fill, testId } from "../ledger/ledger.testing.ts";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import { createWebhookSender } from "./webhook-sender.ts";
import { openReceiver, openTestWebhooks } from "./webhook.testing.ts";
import type { TestWebhooks } from "./webhook.testing.ts";

const patient = { timeout: 90_000, interval: 20 };
vi.setConfig({ testTimeout: 240_000 });
/** So many tries that nothing is given up while a busy machine gets round to it. */
const patiently = Array.from({ length: 10_000 }, () => 100);
const denied = { types: ["action-denied" as const] };

/** Whether within each run the order is that of the ledger, the first time that each event comes. */
function inOrderPerRun(events: readonly StreamedEvent[]): boolean {
  const last = new Map<string, number>();
  const seen = new Set<string>();
  return events.every((event) => {
    if (seen.has(event.id)) return true;
    seen.add(event.id);
    const run = event.runid ?? "";
    const isNext = sequenceOf(event) > (last.get(run) ?? -1);
    last.set(run, sequenceOf(event));
    return isNext;
  });
}

test("[RUN-16][RUN-18] an endpoint gets every event that it wants, signed, in order per run", async () => {
  await using hooks = await openTestWebhooks();
  await using receiver = await openReceiver();
  const runs = [testId("run"), testId("run"), testId("run")];
  const wanted = await fill(hooks, [20, 20], (seq) => ({ runId: runs[seq % 3] as Id<"run"> }));
  const { webhook, secret } = await hooks.add(`${receiver.url}?for=remit`, denied);
  hooks.deliver();
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(40), patient);
  await fill(hooks, [5]);
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(45), patient);
  expect(new Set(receiver.taken.map(({ id }) => id)).size).toBe(45);
  expect(receiver.taken.map(({ id }) => id)).toEqual(expect.arrayContaining(wanted.map(({ id }) => id)));
  expect(inOrderPerRun(receiver.taken)).toBe(true);
  const [first] = receiver.got;
  expect(first?.path).toBe("/hook?for=remit");
  expect(first?.headers["content-type"]).toBe("application/cloudevents+json; charset=utf-8");
  expect(first?.headers["webhook-id"]).toBe(first?.event?.id);
  // The specification's own library, and the other signature by hand.
  for (const { body, headers } of receiver.got) expect(new Webhook(secret).verify(body, headers)).toMatchObject({ specversion: "1.0" });
  expect(() => new Webhook(secret).verify(`${first?.body ?? ""} `, first?.headers ?? {})).toThrow();
  const raw = Buffer.from(webhook.publicKey.slice("whpk_".length), "base64");
  const key = createPublicKey({ key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]), format: "der", type: "spki" });
  const signature = /v1a,(\S+)/.exec(first?.headers["webhook-signature"] ?? "")?.[1] ?? "";
  const signed = `${first?.headers["webhook-id"] ?? ""}.${first?.headers["webhook-timestamp"] ?? ""}.${first?.body ?? ""}`;
  expect(verify(null, Buffer.from(signed), key, Buffer.from(signature, "base64"))).toBe(true);
  await vi.waitFor(
    async () => expect(await hooks.webhooks.show(webhook.id)).toMatchObject({ waiting: 0, deadLetters: 0, failures: 0 }),
    patient,
  );
  expect(hooks.problems).toEqual([]);
});

test("[RUN-18] an event that is refused holds up the later ones of its run, and nobody else", async () => {
  await using hooks = await openTestWebhooks(patiently);
  await using receiver = await openReceiver();
  const [sick, well] = [testId("run"), testId("run")];
  const entries = await fill(hooks, [20], (seq) => ({ runId: seq % 2 === 0 ? sick : well }));
  const [poison] = entries;
  let healed = false;
  receiver.answer = ({ event }) => (event?.id === poison?.id && !healed ? 500 : 200);
  const { webhook } = await hooks.add(receiver.url, denied);
  hooks.deliver();
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(10), patient);
  expect(receiver.taken.every(({ runid }) => runid === well)).toBe(true);
  await fill(hooks, [4], (seq) => ({ runId: seq % 2 === 0 ? sick : well }));
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(12), patient);
  await vi.waitFor(async () => expect(await hooks.webhooks.show(webhook.id)).toMatchObject({ state: "active", waiting: 12 }), patient);
  healed = true;
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(24), patient);
  expect(inOrderPerRun(receiver.taken)).toBe(true);
  // Every time that it came it was the same message.
  const messages = receiver.got.filter(({ event }) => event?.id === poison?.id);
  expect(messages.length).toBeGreaterThan(1);
  expect(new Set(messages.map(({ body }) => body)).size).toBe(1);
});

test("what fails to the end of the schedule is a dead letter, its run goes on, and it can be tried again", async () => {
  await using hooks = await openTestWebhooks([5, 5, 5]);
  await using receiver = await openReceiver();
  const run = testId("run");
  const [poison] = await fill(hooks, [3], () => ({ runId: run }));
  let healed = false;
  receiver.answer = ({ event }) => (event?.id === poison?.id && !healed ? 503 : 200);
  const { webhook } = await hooks.add(receiver.url, denied);
  hooks.deliver();
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(2), patient);
  await vi.waitFor(async () => expect((await hooks.webhooks.show(webhook.id)).waiting).toBe(0), patient);
  const page = await hooks.webhooks.deadLetters(webhook.id, { limit: 50 });
  expect(page).toMatchObject({
    items: [{ event: poison?.id, attempts: 4, status: 503, run, reason: "The endpoint answered 503" }],
    next: null,
  });
  const log = await hooks.webhooks.attempts(webhook.id, { limit: 2 });
  expect(log.items).toHaveLength(2);
  const rest = await hooks.webhooks.attempts(webhook.id, { limit: 50, cursor: log.next ?? "" });
  expect([...log.items, ...rest.items].filter(({ event }) => event === poison?.id).map(({ attempt }) => attempt)).toEqual([4, 3, 2, 1]);
  await expect(hooks.webhooks.retryDeadLetters(webhook.id, testId("entry"), "party:olga")).rejects.toMatchObject({ code: "not-found" });
  healed = true;
  expect(await hooks.webhooks.retryDeadLetters(webhook.id, null, "party:olga")).toBe(1);
  await vi.waitFor(() => expect(receiver.taken.map(({ id }) => id)).toContain(poison?.id), patient);
  await vi.waitFor(async () => expect(await hooks.webhooks.show(webhook.id)).toMatchObject({ deadLetters: 0, waiting: 0 }), patient);
});

test("410 ends it until somebody looks; nothing is lost meanwhile", async () => {
  await using hooks = await openTestWebhooks();
  await using receiver = await openReceiver();
  await fill(hooks, [3]);
  receiver.answer = () => 410;
  const { webhook } = await hooks.add(receiver.url, denied);
  hooks.deliver();
  await vi.waitFor(
    async () =>
      expect(await hooks.webhooks.show(webhook.id)).toMatchObject({ state: "disabled", reason: expect.stringContaining("410") as string }),
    patient,
  );
  const asked = receiver.got.length;
  await fill(hooks, [2]);
  expect(receiver.got).toHaveLength(asked);
  receiver.answer = () => 200;
  await hooks.webhooks.resume(webhook.id, false, "party:olga");
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(5), patient);
  expect(await hooks.entryTypes()).toEqual(["webhook-added", "webhook-disabled", "webhook-resumed"]);
});

test("[CTL-37] endpoints that hang or are dead hold up no action and no other endpoint", async () => {
  await using hooks = await openTestWebhooks();
  await using hanging = await openReceiver();
  await using receiver = await openReceiver();
  const release = Promise.withResolvers<number>();
  hanging.answer = () => release.promise;
  // More of them than the stream has connections to the database, so that any that is held by one would show.
  for (let count = 0; count < 5; count += 1) await hooks.add(`${hanging.url}/${count}`, denied);
  await hooks.add("http://127.0.0.1:9/refuses", denied);
  const { webhook } = await hooks.add(receiver.url, denied);
  hooks.deliver();
  await fill(hooks, [10]);
  await vi.waitFor(() => expect(hanging.got.length).toBeGreaterThanOrEqual(5), patient);
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(10), patient);
  // Entries commit, are sequenced, and reach whoever listens, while five endpoints hang.
  await fill(hooks, [50, 50]);
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(110), patient);
  // What hangs has in hand what it had: no more is read for it.
  expect(hanging.got.length).toBeLessThanOrEqual(5 * 4);
  await vi.waitFor(async () => expect(await hooks.webhooks.show(webhook.id)).toMatchObject({ waiting: 0 }), patient);
  release.resolve(200);
  await vi.waitFor(() => expect(hanging.taken.length).toBeGreaterThanOrEqual(5 * 10), patient);
});

test("one that is down is asked with one event at a time, and keeps a bounded list", async () => {
  await using hooks = await openTestWebhooks(patiently);
  await using receiver = await openReceiver();
  let up = false;
  receiver.answer = () => (up ? 200 : 502);
  const runs = Array.from({ length: 30 }, () => testId("run"));
  await fill(hooks, [150], (seq) => ({ runId: runs[seq % 30] as Id<"run"> }));
  const { webhook } = await hooks.add(receiver.url, denied);
  hooks.deliver();
  await vi.waitFor(async () => expect((await hooks.webhooks.show(webhook.id)).failures).toBeGreaterThan(7), patient);
  const view = await hooks.webhooks.show(webhook.id);
  // Not the 150 of the ledger: the first window, and a probe or two.
  expect(view.waiting).toBeLessThan(100);
  up = true;
  await vi.waitFor(() => expect(new Set(receiver.taken.map(({ id }) => id)).size).toBe(150), patient);
  expect(inOrderPerRun(receiver.taken)).toBe(true);
});

test("a secret is shown once, kept sealed, and rotated with both signing for a while", async () => {
  await using hooks = await openTestWebhooks();
  await using receiver = await openReceiver();
  const { webhook, secret } = await hooks.add(receiver.url, denied);
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  const rotated = await hooks.webhooks.rotateSecret(webhook.id, "PT1H", "party:olga");
  expect(rotated.webhook.secrets).toMatchObject([
    { version: 2, endsAt: null },
    { version: 1, endsAt: expect.any(String) as string },
  ]);
  hooks.deliver();
  await fill(hooks, [1]);
  await settled(hooks, webhook.id, 1);
  const [message] = receiver.got;
  for (const one of [secret, rotated.secret]) new Webhook(one).verify(message?.body ?? "", message?.headers ?? {});
  // What logs could repeat is blotted out while it is in use.
  expect(hooks.known.text(`it was ${secret} or ${rotated.secret}`)).not.toContain("whsec_");
  const third = await hooks.webhooks.rotateSecret(webhook.id, "PT0S", "party:olga");
  await fill(hooks, [1]);
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(2), patient);
  const last = receiver.got.at(-1);
  new Webhook(third.secret).verify(last?.body ?? "", last?.headers ?? {});
  for (const one of [secret, rotated.secret]) expect(() => new Webhook(one).verify(last?.body ?? "", last?.headers ?? {})).toThrow();
  await expect(everythingStored(hooks)).resolves.not.toMatch(
    new RegExp([secret, rotated.secret].map((text) => text.slice(6, 40)).join("|")),
  );
});

/** Whoever changes an endpoint before what it took has been noted has it sent again: events come at least once. */
async function settled(hooks: TestWebhooks, webhook: string, count: number): Promise<void> {
  await vi.waitFor(async () => expect((await hooks.webhooks.attempts(webhook, { limit: 50 })).items).toHaveLength(count), patient);
}

async function everythingStored(hooks: TestWebhooks): Promise<string> {
  const tables = await hooks.superuser.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
  );
  const texts = await Promise.all(tables.map(({ name }) => hooks.superuser.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)));
  return texts
    .flat()
    .map(({ row }) => row)
    .join("\n");
}

test("paused, it gets nothing; resumed, everything since, or only what comes", async () => {
  await using hooks = await openTestWebhooks();
  await using receiver = await openReceiver();
  const { webhook } = await hooks.add(receiver.url, denied);
  hooks.deliver();
  await hooks.webhooks.pause(webhook.id, "moving house", "party:olga");
  await expect(hooks.webhooks.pause(webhook.id, "again", "party:olga")).rejects.toMatchObject({ code: "conflict" });
  await fill(hooks, [3]);
  expect(receiver.got).toHaveLength(0);
  await hooks.webhooks.resume(webhook.id, false, "party:olga");
  await settled(hooks, webhook.id, 3);
  await hooks.webhooks.pause(webhook.id, "moving again", "party:olga");
  await fill(hooks, [3]);
  await hooks.webhooks.resume(webhook.id, true, "party:olga");
  const [next] = await fill(hooks, [1]);
  await vi.waitFor(() => expect(receiver.taken.map(({ id }) => id)).toContain(next?.id), patient);
  expect(receiver.taken).toHaveLength(4);
});

test("events are sent again from a place on, or one by one, under the same ids", async () => {
  await using hooks = await openTestWebhooks();
  await using receiver = await openReceiver();
  const entries = await fill(hooks, [5]);
  const { webhook } = await hooks.add(receiver.url, denied);
  hooks.deliver();
  await settled(hooks, webhook.id, 5);
  const [, second] = entries;
  await hooks.webhooks.replay(webhook.id, { event: second?.id ?? testId("entry") }, "party:olga");
  await settled(hooks, webhook.id, 6);
  expect(receiver.got[1]?.body).toBe(receiver.got[5]?.body);
  await hooks.webhooks.replay(webhook.id, { from: 3 }, "party:olga");
  await vi.waitFor(() => expect(receiver.taken).toHaveLength(8), patient);
  expect(receiver.taken.slice(6).map(sequenceOf)).toEqual([3, 4]);
  await expect(hooks.webhooks.replay(webhook.id, { from: 900 }, "party:olga")).rejects.toMatchObject({ code: "invalid-request" });
  await expect(hooks.webhooks.replay(webhook.id, { event: testId("entry") }, "party:olga")).rejects.toMatchObject({ code: "not-found" });
});

test("a test event says nothing, is signed, and tells what came of it", async () => {
  await using hooks = await openTestWebhooks();
  await using receiver = await openReceiver();
  const { webhook, secret } = await hooks.add(receiver.url, denied);
  expect(await hooks.webhooks.test(webhook.id)).toMatchObject({ delivered: true, status: 204 });
  const [message] = receiver.got;
  expect(new Webhook(secret).verify(message?.body ?? "", message?.headers ?? {})).toMatchObject({ type: "dev.remit.webhook-test" });
  receiver.answer = () => 404;
  expect(await hooks.webhooks.test(webhook.id)).toMatchObject({ delivered: false, status: 404, reason: "The endpoint answered 404" });
  await hooks.webhooks.remove(webhook.id, "party:olga");
  await expect(hooks.webhooks.show(webhook.id)).rejects.toMatchObject({ code: "not-found" });
});

test("[CTL-22] nothing is sent inside, to where a redirect points, or without TLS", async () => {
  await using hooks = await openTestWebhooks();
  await using receiver = await openReceiver();
  await using inside = await openReceiver();
  receiver.answer = () => 307;
  receiver.answerHeaders = { location: inside.url };
  const keys = { secrets: [Buffer.alloc(32)], privateKey: (await hooks.keys.signingKey("webhooks", "Ed25519")).privateKey };
  const send = (allow: string[], url: string) =>
    createWebhookSender({ outbound: createOutbound({ allow }), now: () => new Date() })({ url, keys }, { id: "x" });
  expect(await send(["127.0.0.0/8"], receiver.url)).toMatchObject({
    delivered: false,
    status: null,
    reason: expect.stringContaining("sends on") as string,
  });
  expect(await send([], inside.url)).toMatchObject({ delivered: false, status: null });
  expect(await send([], "https://169.254.169.254/latest/meta-data")).toMatchObject({ delivered: false, status: null });
  expect(await send(["127.0.0.0/8"], "http://example.com/")).toMatchObject({ delivered: false, status: null });
  expect(inside.got).toEqual([]);
});

test("[RUN-17] several servers deliver everything in order; what one that is cut off has in hand is delivered by another", async () => {
  await using hooks = await openTestWebhooks();
  await using receiver = await openReceiver();
  const runs = [testId("run"), testId("run")];
  await hooks.add(receiver.url, denied);
  const servers = [hooks.deliver({ leaseMs: 600 }), hooks.deliver({ leaseMs: 600 }), hooks.deliver({ leaseMs: 600 })];
  let written = 0;
  for (let round = 0; round < 6; round += 1) {
    await fill(hooks, [10], (seq) => ({ runId: runs[seq % 2] as Id<"run"> }));
    written += 10;
    // As if its server had lost the database: somebody else takes over under another epoch, and what it still has in hand is not settled.
    await hooks.database.query("UPDATE webhook SET epoch = epoch + 1, holder = '', held_until = '-infinity'");
    if (round === 3) await servers[0]?.stop();
  }
  await vi.waitFor(() => expect(new Set(receiver.taken.map(({ id }) => id)).size).toBe(written), patient);
  expect(inOrderPerRun(receiver.taken)).toBe(true);
});
