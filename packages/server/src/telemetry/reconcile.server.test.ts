import type { RecordedEvent } from "@remit/contract";
import { type ToldEnd, isInRatio, reconcile, reconciledEnds } from "@remit/core";
import { afterEach, expect, test, vi } from "vitest";
import { openEndpoint, openReceiver } from "./otlp-receiver.testing.ts";
import type { ReceivedSpan } from "./otlp-receiver.testing.ts";
import { openObservedServer } from "./observed-server.testing.ts";
import type { ObservedServer } from "./observed-server.testing.ts";

const patience = { timeout: 120_000, interval: 250 };
const secret = "canary-5f1c";

afterEach(() => void vi.unstubAllEnvs());

/** Actions that end in every way that an end can be brought about from outside. What waits in the end goes on waiting. */
async function actInEveryWay(world: ObservedServer, scale: number): Promise<void> {
  const times = <Result>(count: number, work: (index: number) => Promise<Result>) =>
    Promise.all(Array.from({ length: count * scale }, (_, index) => work(index)));
  await times(12, (index) => world.call("echo", { text: `${secret} ${index}` }));
  await times(2, (index) => world.call(`made-up-${secret}-${index}`));
  await times(1, () => world.call("huge", { bytes: 1 }));
  await times(1, () => world.call("echo", { words: secret }));
  // Fewer in a row than open its circuit.
  for (let index = 0; index < 2 * scale; index += 1) {
    await world.call("fail");
    if (index % 2 === 1) await world.call("echo", { text: "in between" });
  }
  // The same call again is the same action.
  await times(2, (index) => world.call("echo", { text: "once" }, { meta: { "remit/idempotency-key": `key-${index % 2}` } }));

  const asked = await times(4, () => world.call("structured", {}, { meta: { "remit/idempotency-key": crypto.randomUUID() } }));
  expect(new Set(asked.map(({ outcome }) => outcome))).toEqual(new Set(["waiting"]));
  const ben = await world.person("ben");
  const ada = await world.person("ada");
  const { items } = await world.ask<{ items: { id: string; digest: string }[] }>("/v1/approvals?state=pending&limit=200", undefined, ben);
  expect(items).toHaveLength(4 * scale);
  for (const [index, { id, digest }] of items.entries()) {
    if (index % 4 === 0) await world.ask(`/v1/approvals/${id}/votes`, { vote: "approve", digest }, ben);
    if (index % 4 === 1) await world.ask(`/v1/approvals/${id}/votes`, { vote: "deny", digest }, ben);
    if (index % 4 === 2) await world.ask(`/v1/approvals/${id}/cancel`, { reason: "not needed" }, ada);
  }

  // One that nobody answers in time, and one that a lost server leaves behind, as if it had begun.
  await times(1, () => world.call("grow", {}, { meta: { "remit/idempotency-key": crypto.randomUUID() } }));
  const ended = async (end: string): Promise<number> => toldByMetrics(await world.metrics()).get(end) ?? 0;
  await expect.poll(() => ended("expired"), patience).toBe(scale);
  const left = `UPDATE action SET state = 'executing', instance = gen_random_uuid()
    WHERE id = (SELECT action_id FROM approval WHERE state = 'pending' ORDER BY id LIMIT 1) RETURNING id`;
  expect(await world.database.superuser.query(left)).toHaveLength(1);
  await expect.poll(() => ended("unknown"), patience).toBe(1);

  // One that its caller gives up, and some that a halt finds in the middle.
  const executing = async (): Promise<number> => (await world.metrics()).get("remit_actions_executing") ?? 0;
  const givenUp = new AbortController();
  const cancelled = world.call("slow", { ms: 600_000 }, { signal: givenUp.signal }).catch(() => undefined);
  await expect.poll(executing, patience).toBe(1);
  givenUp.abort();
  await cancelled;
  await expect.poll(executing, patience).toBe(0);
  const halted = times(2, () => world.call("slow", { ms: 600_000 }));
  await expect.poll(executing, patience).toBe(2 * scale);
  await world.ask("/v1/halts", { mode: "halt", scope: { type: "agent", name: "support-agent" }, reason: "enough" }, ada);
  await halted;
  await times(1, () => world.call("echo", { text: "too late" }));
}

const ends = new Set<string>(reconciledEnds);

function toldByLedger(entries: readonly RecordedEvent[]): ToldEnd[] {
  return entries.flatMap(({ event }) => {
    const end = event.type.replace(/^remit\.action-/, "");
    return event.actionid !== undefined && ends.has(end) ? [{ actionId: event.actionid, traceId: event.traceid ?? null, end }] : [];
  });
}

function toldBySpans(spans: readonly ReceivedSpan[]): ToldEnd[] {
  return spans.flatMap(({ attributes, traceId }) => {
    const [actionId, end] = [attributes["remit.action.id"], attributes["remit.outcome"]];
    return actionId === undefined || end === undefined ? [] : [{ actionId, traceId, end }];
  });
}

function toldByMetrics(values: ReadonlyMap<string, number>): Map<string, number> {
  const told = new Map<string, number>();
  for (const [name, value] of values) {
    const [, end] = /^remit_actions_total\{.*outcome="([a-z]+)"\}$/.exec(name) ?? [];
    const waiting = /^remit_decisions_total\{.*verdict="require-approval"\}$/.test(name) ? "waiting" : undefined;
    const key = end ?? waiting;
    if (key !== undefined) told.set(key, (told.get(key) ?? 0) + value);
  }
  return told;
}

/** Once everything has ended, and all of it has its place. */
async function settled(world: ObservedServer): Promise<{ entries: RecordedEvent[]; metrics: Map<string, number> }> {
  await expect
    .poll(async () => {
      const values = await world.metrics();
      return [
        "remit_actions_executing",
        "remit_approvals_granted",
        "remit_ledger_pending_entries",
        "remit_ledger_uncounted_entries",
        "remit_spans_waiting",
      ].map((name) => values.get(name));
    }, patience)
    .toEqual([0, 0, 0, 0, 0]);
  const metrics = await world.metrics();
  const entries = (await world.entries()).filter(({ seq }) => seq !== null && seq < (metrics.get("remit_ledger_counted_entries") ?? 0));
  return { entries, metrics };
}

test("[AUD-14][OBS-01][OBS-03][OBS-16] ledger, spans and metrics tell the same of every kind of action, with no difference", async () => {
  await using receiver = await openReceiver();
  await using world = await openObservedServer({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
  await actInEveryWay(world, 6);
  const { entries, metrics } = await settled(world);
  const found = reconcile({
    ledger: toldByLedger(entries),
    metrics: toldByMetrics(metrics),
    spans: toldBySpans(receiver.spans),
    dropped: metrics.get('remit_spans_total{result="dropped"}') ?? Number.NaN,
    isSampled: () => true,
  });
  for (const kind of found.kinds) expect(kind).toEqual({ ...kind, metrics: kind.ledger, spans: kind.ledger, unsampled: 0, late: 0 });
  expect(found).toMatchObject({ missing: [], unfounded: [], dropped: 0, agrees: true });
  // At least so many: a machine that is busy may have had some refused, and made again.
  const least = {
    succeeded: 72 + 6 + 2 + 6,
    failed: 12,
    denied: 30,
    waiting: 24 + 6,
    rejected: 6,
    cancelled: 7,
    halted: 12,
    expired: 6,
    unknown: 1,
  };
  for (const { end, ledger } of found.kinds) expect(ledger).toBeGreaterThanOrEqual(least[end as keyof typeof least]);

  // Each entry has a trace, and each of an action has that of its spans.
  const traceless = entries.filter(({ event }) => !/^[0-9a-f]{32}$/.test(event.traceid ?? ""));
  expect([...new Set(traceless.map(({ event }) => event.type))]).toEqual([]);
  const traces = new Set(receiver.spans.map(({ traceId }) => traceId));
  expect(toldByLedger(entries).filter(({ traceId }) => traceId === null || !traces.has(traceId))).toEqual([]);
  // Neither what it was called with, nor what came back, nor a name that was made up.
  expect(JSON.stringify(receiver.spans)).not.toContain(secret);
  expect((await world.verify()).ok).toBe(true);
}, 290_000);

test("[OBS-01][OBS-03][OBS-16] what a sampler leaves out is the whole of the difference", async () => {
  await using receiver = await openReceiver();
  const environment = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.3" };
  await using world = await openObservedServer({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...environment });
  await actInEveryWay(world, 1);
  const { entries, metrics } = await settled(world);
  const spans = toldBySpans(receiver.spans);
  const sides = { ledger: toldByLedger(entries), metrics: toldByMetrics(metrics), spans, dropped: 0 };
  const found = reconcile({ ...sides, isSampled: (traceId) => isInRatio(traceId, 0.3) });
  expect(found).toMatchObject({ missing: [], unfounded: [], agrees: true });
  for (const kind of found.kinds) expect(kind).toMatchObject({ metrics: kind.ledger, unsampled: kind.ledger - (kind.spans ?? 0) });
  expect(metrics.get('remit_spans_total{result="unsampled"}')).toBeGreaterThan(0);
  // Without that word it would be a difference.
  expect(reconcile({ ...sides, isSampled: () => true }).agrees).toBe(false);
}, 290_000);

test("[OBS-02][AUD-14] an OTLP endpoint that hangs or dies holds up nothing and loses nothing of the ledger, and what it did not take is counted", async () => {
  await using hanging = await openEndpoint((request) => void request.resume());
  const dying = await openReceiver();
  const urls = { hangs: hanging.url, dies: dying.url };
  // One after the other: several servers at once are more than a busy machine can carry.
  for (const [how, url] of Object.entries(urls)) {
    // The exporter reads it from the process; by default a batch is given up after ten seconds.
    if (how === "hangs") vi.stubEnv("OTEL_EXPORTER_OTLP_TIMEOUT", "2000");
    else vi.unstubAllEnvs();
    await using world = await openObservedServer({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
    if (how === "dies") {
      await world.call("echo", { text: "before" });
      await expect.poll(() => dying.spans.length, patience).toBeGreaterThan(0);
      await dying[Symbol.asyncDispose]();
    }
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => world.call("echo", { text: `${index}` })));
    expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set(["succeeded"]));
    await expect.poll(async () => (await world.metrics()).get('remit_spans_total{result="dropped"}'), patience).toBeGreaterThan(0);
    const { entries, metrics } = await settled(world);
    const ledger = toldByLedger(entries);
    const succeeded = ledger.filter(({ end }) => end === "succeeded").length;
    expect(succeeded).toBe(how === "dies" ? 61 : 60);
    expect(toldByMetrics(metrics).get("succeeded")).toBe(succeeded);
    const sent = metrics.get('remit_spans_total{result="sent"}') ?? 0;
    const dropped = metrics.get('remit_spans_total{result="dropped"}') ?? 0;
    expect(sent).toBe(how === "dies" ? dying.spans.length : 0);
    // Three spans an action: the call, the decision, the call to the upstream. And some of requests that people made.
    expect(sent + dropped).toBeGreaterThanOrEqual(succeeded * 3);
    expect((await world.verify()).ok).toBe(true);
  }
}, 290_000);
