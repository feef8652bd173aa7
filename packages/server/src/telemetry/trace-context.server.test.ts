import { afterAll, beforeAll, expect, test } from "vitest";
import { openObservedServer } from "./observed-server.testing.ts";
import type { ObservedServer } from "./observed-server.testing.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const other = "1bf7651916cd43dd8448eb211c80319d";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

let world: ObservedServer;
beforeAll(async () => {
  world = await openObservedServer();
});
afterAll(() => world[Symbol.asyncDispose]());

/** What the upstream was sent in `_meta`. */
async function sentMeta(more: Parameters<ObservedServer["call"]>[2]): Promise<Record<string, unknown>> {
  const { outcome, text } = await world.call("meta", {}, more);
  expect(outcome).toBe("succeeded");
  return JSON.parse(text) as Record<string, unknown>;
}

/** The entries of a trace that have their place, by type. */
async function entriesOf(trace: string): Promise<string[]> {
  const path = `/v1/audit/entries?trace=${trace}&limit=200`;
  const page = await world.ask<{ items: { event: { type: string } }[] }>(path, undefined, world.machine);
  return page.items.map(({ event }) => event.type);
}

test.each([
  ["in _meta", { meta: { traceparent } }],
  ["in a header", { headers: { traceparent } }],
  ["in both, where _meta is nearer to the call", { meta: { traceparent }, headers: { traceparent: `00-${other}-b7ad6b7169203331-01` } }],
  ["not validly in _meta, but in a header", { meta: { traceparent: "00-nonsense" }, headers: { traceparent } }],
])("[OBS-01] a trace that comes in %s goes on at the upstream, below the action", async (_name, more) => {
  const sent = String((await sentMeta(more))["traceparent"]);
  expect(sent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  expect(sent).not.toBe(traceparent);
  await expect.poll(() => entriesOf(traceId), { timeout: 30_000 }).toContain("remit.action-succeeded");
});

test("[OBS-01] what the agent's side says to itself stops here: no tracestate, no baggage", async () => {
  const secrets = { tracestate: "vendor=canary-41", baggage: "user=canary-41" };
  const sent = await sentMeta({ meta: { traceparent, ...secrets, "example.com/kept": 1 }, headers: secrets });
  expect(JSON.stringify(sent)).not.toContain("canary-41");
  expect(sent).toMatchObject({ "example.com/kept": 1 });
});

test("[OBS-01] without a trace, or with one that is none, there is a new one", async () => {
  const [first, second] = [await sentMeta({}), await sentMeta({ headers: { traceparent: `00-${"0".repeat(32)}-b7ad6b7169203331-01` } })];
  expect(first["traceparent"]).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(second["traceparent"]).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(String(first["traceparent"]).slice(3, 35)).not.toBe(String(second["traceparent"]).slice(3, 35));
});

test("[OBS-01][AUD-01] what a person commands is in his trace, and what he says of an action in the action's", async () => {
  const asked = await world.call("structured", {}, { meta: { traceparent } });
  expect(asked.outcome).toBe("waiting");
  const [ada, ben] = [await world.person("ada"), await world.person("ben")];
  const { items } = await world.ask<{ items: { id: string; digest: string }[] }>("/v1/approvals?state=pending", undefined, ben);
  const [{ id, digest } = { id: "", digest: "" }] = items;
  const trace = { traceparent: `00-${other}-b7ad6b7169203331-01` };
  await world.ask(`/v1/approvals/${id}/votes`, { vote: "deny", digest }, ben, trace);
  const { id: halt } = await world.ask<{ id: string }>(
    "/v1/halts",
    { mode: "halt", scope: { type: "environment", name: "production" }, reason: "a test" },
    ada,
    trace,
  );
  expect(halt).toMatch(/^hlt_/);
  await expect.poll(() => entriesOf(other), { timeout: 30_000 }).toEqual(["remit.halt-engaged"]);
  const about = await entriesOf(traceId);
  for (const type of ["action-waiting", "approval-requested", "approval-voted", "approval-denied", "action-rejected"])
    expect(about).toContain(`remit.${type}`);
});
