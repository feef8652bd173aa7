import { actionViewSchema, itemViewSchema, queueViewSchema, runTokenSchema, runViewSchema, startedRunSchema } from "@remit/contract";
import { expect, test } from "vitest";
import { openTestRuns } from "./run.testing.ts";
import type { Started, TestRuns } from "./run.testing.ts";

/** Requests as a person with a session, or as `authorization`. */
async function faceOf(test: TestRuns, party = "ben") {
  const session = `Bearer ${await test.login(party)}`;
  const send = (method: "GET" | "POST", url: string, payload?: object, authorization = session) =>
    test.app.inject({ method, url, headers: { authorization }, ...(payload !== undefined && { payload }) });
  return {
    get: (url: string, authorization?: string) => send("GET", url, undefined, authorization),
    post: (url: string, payload?: object, authorization?: string) => send("POST", url, payload, authorization),
  };
}

const start = { workflow: "triage", environment: "staging", requireApproval: ["send_email"] };

test("[RUN-01][RUN-27] work is added, claimed, renewed and completed over HTTP", async () => {
  await using test = await openTestRuns();
  const { get, post } = await faceOf(test);
  const work = { subject: "T-1042", payload: { ticket: "T-1042" }, key: "T-1042" };
  const added = await post("/v1/queues/billing-tier1/items", work);
  expect(added.statusCode).toBe(201);
  const item = itemViewSchema.parse(added.json());
  expect(item).toMatchObject({ state: "ready", enqueuedBy: "party:ben" });
  const again = await post("/v1/queues/billing-tier1/items", work);
  expect([again.statusCode, again.json()]).toEqual([200, added.json()]);

  const started = await post("/v1/runs", start);
  expect(started.statusCode).toBe(201);
  const { run, token } = startedRunSchema.parse(started.json()) as Started;
  const empty = await post("/v1/runs", start);
  expect([empty.statusCode, empty.json()]).toEqual([200, { run: null, reason: "queue-empty" }]);

  for (const authorization of [undefined, `Bearer ${token}`]) {
    const renewed = await post(`/v1/runs/${run.id}/token`, {}, authorization);
    expect(renewed.statusCode).toBe(200);
    runTokenSchema.parse(renewed.json());
  }
  expect((await post(`/v1/runs/${run.id}/token`)).statusCode).toBe(200);

  expect(runViewSchema.parse((await get(`/v1/runs/${run.id}`)).json())).toMatchObject({ state: "running", subject: "T-1042" });
  expect(queueViewSchema.parse((await get("/v1/queues")).json<{ items: unknown[] }>().items[0])).toMatchObject({ claimed: 1, ready: 0 });
  const ended = await post(`/v1/runs/${run.id}/end`, { outcome: "completed", reason: "done" });
  expect(runViewSchema.parse(ended.json())).toMatchObject({ state: "completed", reason: "done" });
  const items = await get("/v1/queues/billing-tier1/items?state=completed");
  expect(items.json()).toMatchObject({ items: [{ id: item.id, runId: run.id, attempts: 1 }], next: null });
  expect(items.body).not.toContain("payload");
});

test("the machine runs agents as well", async () => {
  await using test = await openTestRuns();
  const { post } = await faceOf(test);
  const machine = `Machine ${test.machineKey}`;
  const started = await post("/v1/runs", { ...start, queue: null }, machine);
  expect(started.statusCode).toBe(201);
  const { id } = started.json<Started>().run;
  expect((await post(`/v1/runs/${id}/token`, {}, machine)).statusCode).toBe(200);
  expect((await post(`/v1/runs/${id}/token`)).statusCode).toBe(403);
});

test("[CTL-24] viewers look and do not touch; an agent's token opens nothing here but its own next token; strangers get nothing", async () => {
  await using test = await openTestRuns();
  const { get, post } = await faceOf(test, "cleo");
  const [mine, other] = [await test.start({ queue: null }), await test.start({ queue: null })];
  const writes: [string, object][] = [
    ["/v1/runs", start],
    [`/v1/runs/${mine.run.id}/end`, { outcome: "cancelled", reason: "no" }],
    [`/v1/runs/${mine.run.id}/token`, {}],
    ["/v1/queues/billing-tier1/items", { subject: "T", payload: {} }],
  ];
  const agent = `Bearer ${mine.token}`;
  for (const [url, body] of writes) {
    expect((await post(url, body)).statusCode).toBe(403);
    expect((await post(url, body, "none")).statusCode).toBe(401);
    if (!url.endsWith("/token")) expect((await post(url, body, agent)).statusCode).toBe(401);
  }
  expect((await post(`/v1/runs/${other.run.id}/token`, {}, agent)).statusCode).toBe(403);
  for (const url of ["/v1/runs", `/v1/runs/${mine.run.id}`, `/v1/runs/${mine.run.id}/actions`, "/v1/queues"]) {
    expect((await get(url)).statusCode).toBe(200);
    expect((await get(url, "none")).statusCode).toBe(401);
    expect((await get(url, agent)).statusCode).toBe(401);
  }
});

test.each<[string, number, string, object]>([
  ["/v1/runs", 404, "not-found", { ...start, workflow: "triag" }],
  ["/v1/runs", 403, "environment-not-granted", { ...start, environment: "production" }],
  ["/v1/runs", 400, "invalid-request", { ...start, maxActions: 0 }],
  ["/v1/runs", 400, "invalid-request", { ...start, maxActions: 1000 }],
  ["/v1/runs", 400, "invalid-request", { ...start, limits: {} }],
  [`/v1/runs/run_${"0".repeat(32)}/end`, 404, "not-found", { outcome: "completed", reason: "" }],
  [`/v1/runs/run_${"0".repeat(32)}/end`, 400, "invalid-request", { outcome: "halted", reason: "" }],
  [`/v1/runs/run_${"0".repeat(32)}/end`, 400, "invalid-request", { outcome: "failed", reason: "nul \u0000" }],
  [`/v1/runs/act_${"0".repeat(32)}/end`, 400, "invalid-request", { outcome: "failed", reason: "" }],
  ["/v1/queues/billing-tier1/items", 400, "invalid-request", { subject: "nul \u0000", payload: {} }],
  ["/v1/queues/billing/items", 404, "not-found", { subject: "T", payload: {} }],
])("%s is refused with %i %s (case %$)", async (url, status, code, payload) => {
  await using test = await openTestRuns();
  const response = await (await faceOf(test)).post(url, payload);
  expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([status, code]);
});

test("[RUN-15] a full queue is 429 over HTTP", async () => {
  await using test = await openTestRuns();
  await test.superuser.query(
    `INSERT INTO queue_item (id, queue, state, subject, payload, enqueued_by, enqueued_at)
     SELECT 'itm_' || n, 'billing-tier1', 'ready', 'T', '{}', 'party:ben', now() FROM generate_series(1, 1000) AS n`,
  );
  const response = await (await faceOf(test)).post("/v1/queues/billing-tier1/items", { subject: "T", payload: {} });
  expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([429, "queue-full"]);
});

test("lists are read page by page: runs newest first, actions as they came, with what has become of them", async () => {
  await using test = await openTestRuns();
  const { get } = await faceOf(test);
  const runs: string[] = [];
  for (let count = 0; count < 3; count += 1) runs.unshift((await test.start({ queue: null })).run.id);
  const first = (await get("/v1/runs?limit=2&workflow=triage&state=running")).json<{ items: { id: string }[]; next: string }>();
  const rest = (await get(`/v1/runs?limit=2&cursor=${first.next}`)).json<{ items: { id: string }[]; next: null }>();
  expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(runs);
  expect(rest.next).toBeNull();
  expect((await get("/v1/runs?state=lost")).json()).toEqual({ items: [], next: null });

  const [run = ""] = runs;
  const waiting = await test.act(run, "waiting");
  const denied = await test.act(run, "denied", { code: "no-grant", reason: "nothing allows it" });
  const read = async () => {
    const page = (await get(`/v1/runs/${run}/actions?limit=1`)).json<{ items: unknown[]; next: string }>();
    const more = (await get(`/v1/runs/${run}/actions?limit=1&cursor=${page.next}`)).json<{ items: unknown[] }>();
    return [...page.items, ...more.items].map((item) => actionViewSchema.parse(item));
  };
  expect(await read()).toMatchObject([
    { id: waiting, state: "waiting", reason: "Mail is looked at first.", approvalId: expect.stringMatching(/^apr_/) as unknown },
    { id: denied, state: "denied", code: "no-grant", reason: "nothing allows it", approvalId: null },
  ]);
  await test.database.query("UPDATE action SET state = 'succeeded', ended_at = now() WHERE id = $1", [waiting]);
  expect(await read()).toMatchObject([{ state: "succeeded" }, { state: "denied" }]);
  expect((await get(`/v1/runs/${run}/actions?cursor=${first.next}`)).statusCode).toBe(400);
});
