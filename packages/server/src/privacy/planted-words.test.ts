import { fileURLToPath } from "node:url";
import type { ErasureView, StartedRun } from "@remit/contract";
import { expect, test } from "vitest";
import { withFiles } from "../registry/registry-files.testing.ts";
import { openCanaryWorld, sightings } from "../secret/canary.testing.ts";

const tool = (name: string, effect: string): string => `kind: tool
upstream: repeating
name: ${name}
effect: ${effect}
reversibility: none
sensitivity: confidential
owner: ben
subjects:
  - { type: customer, pointer: /customer }
`;

const files = withFiles({
  "upstreams/helpdesk.yaml": `kind: upstream
name: repeating
owner: ben
transport: { type: stdio, command: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(fileURLToPath(new URL("./fixtures/repeating-server.ts", import.meta.url)))}] }
`,
  "tools/helpdesk.yaml": [
    tool("tell", "read"),
    tool("refuse", "read"),
    tool("throw", "read"),
    tool("exit", "read"),
    tool("change", "write"),
  ].join("---\n"),
  "agents/support-agent.yaml": `kind: agent
name: support-agent
purpose: Repeats
accountable: ada
tier: 2
policies: [support]
environments: [staging]
tools: [repeating__tell, repeating__refuse, repeating__throw, repeating__exit, repeating__change]
promptFile: agents/support-agent.md
constraints: {}
`,
  "policies/support/gates.cedar": `@id("write.ask") @approval("support-lead")
forbid (principal, action in Remit::Action::"write", resource)
unless { context.approvals.contains(Remit::Team::"support-lead") };
`,
  "queues/billing.yaml": "kind: queue\nname: billing\nowner: ben\nsubjects:\n  - { type: customer, pointer: /customer }\n",
});

/**
 * Every place that a person or an agent can write into, and where what was written there stands after the erasure of whom it was about:
 * in none of the tables, or in those that docs/privacy.md names.
 */
const places = {
  // What is about him.
  identifier: [],
  arguments: [],
  result: [],
  refusedByUpstream: [],
  thrownByUpstream: [],
  unknownOutcome: [],
  invalidArguments: [],
  invalidMember: [],
  haltedArguments: [],
  approved: [],
  waiting: [],
  cancelled: [],
  rejected: [],
  approvingComment: [],
  rejectingComment: [],
  itemLine: [],
  itemKey: [],
  itemPayload: [],
  erasureReason: [],
  // What nobody keeps.
  userAgent: [],
  tracestate: [],
  baggage: [],
  requestId: [],
  progressToken: [],
  meta: [],
  path: [],
  query: [],
  body: [],
  // What is written for the record, and stays in it.
  toolName: ["action", "ledger_entry"],
  idempotencyKey: ["action"],
  cancelReason: ["action", "ledger_entry"],
  haltReason: ["action", "halt", "ledger_entry"],
  endReason: ["ledger_entry", "run"],
  holdName: ["ledger_entry", "legal_hold"],
  holdReason: ["legal_hold"],
  webhookDescription: ["webhook"],
} satisfies Record<string, string[]>;
type Place = keyof typeof places;

const word = (place: Place): string => `planted-${place.toLowerCase()}-Zq8`;
const customer = word("identifier");

test("[DAT-14][DAT-17][CTL-33] whatever was said of somebody and wherever, after his erasure it stands nowhere but where it is said to stay", async () => {
  await using world = await openCanaryWorld();
  const ask = async <Answer>(path: string, body?: unknown, authorization?: string): Promise<Answer> =>
    JSON.parse((await world.ask(path, body, authorization)).text) as Answer;
  expect(await world.ask("/v1/registry/apply", { files })).toMatchObject({ status: 200 });
  await world.untilReady();
  const [ada, ben] = [await world.person("ada"), await world.person("ben")];
  await ask("/v1/webhooks", { url: "http://127.0.0.1:1/hook", description: word("webhookDescription") }, ada);
  const item = { subject: `About ${word("itemLine")}`, key: word("itemKey"), payload: { customer, words: word("itemPayload") } };
  await ask("/v1/queues/billing/items", item, ada);
  type Started = Extract<StartedRun, { token: string }>;
  const started = await ask<Started>("/v1/runs", { workflow: "triage", environment: "staging" });

  async function send(body: string): Promise<string> {
    const response = await fetch(started.mcpUrl, {
      method: "POST",
      headers: {
        authorization: `Bearer ${started.token}`,
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        "user-agent": word("userAgent"),
        tracestate: `vendor=${word("tracestate")}`,
        baggage: `who=${word("baggage")}`,
      },
      body,
    });
    return response.text();
  }
  async function call(name: string, args: object, key: string = crypto.randomUUID()): Promise<string> {
    const meta = { progressToken: word("progressToken"), "example.com/words": word("meta"), "remit/idempotency-key": key };
    const params = { name: `repeating__${name}`, arguments: args, _meta: meta };
    return send(JSON.stringify({ jsonrpc: "2.0", id: word("requestId"), method: "tools/call", params }));
  }
  const about = (place: Place) => ({ customer, words: word(place) });
  expect(await call("tell", { ...about("arguments"), words: `${word("arguments")} ${word("result")}` }, word("idempotencyKey"))).toContain(
    word("result"),
  );
  expect(await call("refuse", about("refusedByUpstream"))).toContain(word("refusedByUpstream"));
  await call("throw", about("thrownByUpstream"));
  // Whoever calls is told which member it is.
  const invalid = { customer, words: [word("invalidArguments")], [word("invalidMember")]: 1 };
  expect(await call("tell", invalid)).toContain(`/${word("invalidMember")} is not declared`);
  await call(word("toolName"), {});
  const asked: Place[] = ["approved", "rejected", "cancelled", "waiting"];
  const requests: { id: string; digest: string }[] = [];
  for (const place of asked) {
    await call("change", about(place));
    const { items } = await ask<{ items: { id: string; digest: string }[] }>("/v1/approvals?state=pending&limit=1", undefined, ben);
    requests.push(...items);
  }
  const [approved, rejected, cancelled] = requests;
  expect(new Set(requests.map(({ id }) => id)).size).toBe(4);
  const vote = (request: typeof approved, answer: string, place: Place) =>
    world.ask(`/v1/approvals/${request?.id}/votes`, { vote: answer, digest: request?.digest, comment: word(place) }, ben);
  expect(await vote(approved, "approve", "approvingComment")).toMatchObject({ status: 200 });
  expect(await vote(rejected, "deny", "rejectingComment")).toMatchObject({ status: 200 });
  expect(await world.ask(`/v1/approvals/${cancelled?.id}/cancel`, { reason: word("cancelReason") }, ada)).toMatchObject({ status: 200 });
  // What is recorded after the erasure would be about somebody new.
  const states = async () =>
    (await ask<{ items: { state: string }[] }>(`/v1/runs/${started.run.id}/actions`)).items.map(({ state }) => state);
  await expect.poll(async () => (await states()).filter((state) => state === "succeeded").length, { timeout: 30_000 }).toBe(2);
  // The upstream ends with this, and is started again in its own time.
  await call("exit", about("unknownOutcome"));
  const halt = { mode: "halt", scope: { type: "tool", name: "repeating__tell" }, reason: word("haltReason") };
  expect(await world.ask("/v1/halts", halt, ada)).toMatchObject({ status: 201 });
  expect(await call("tell", about("haltedArguments"))).toContain("halted");
  await send(`{"words": "${word("body")}`);
  await world.ask(`/v1/${word("path")}?q=${word("query")}`, undefined, ada);
  await world.ask("/v1/privacy/holds", { name: word("holdName"), subject: "customer:other", reason: word("holdReason") }, ada);

  const erasure = { subject: `customer:${customer}`, reason: word("erasureReason"), confirm: true };
  const erased = await ask<ErasureView>("/v1/privacy/erasures", erasure, ada);
  expect(erased).toMatchObject({ erased: true, approvals: 1, items: 1 });
  await world.ask(`/v1/runs/${started.run.id}/end`, { outcome: "completed", reason: word("endReason") });

  // What Ben wrote when he voted is his, and goes with him.
  const voter = { subject: "party:ben", reason: "asked", confirm: true };
  expect(await ask<ErasureView>("/v1/privacy/erasures", voter, ada)).toMatchObject({ erased: true });
  // What is still sealed and opens says none of it either.
  const before = world.answers.length;
  await world.ask(`/v1/audit/show/${started.run.id}`, undefined, ada);
  await world.ask("/v1/audit/entries?limit=200", undefined, ada);
  const shown = world.answers.slice(before);
  expect(shown.join("")).toContain("erased");
  expect(await ask("/v1/audit/verify")).toMatchObject({ ok: true });
  await world.stop();

  const [rows, written] = [await world.rows(), await world.files()];
  // The lines that an upstream's own program wrote stand in a log of the level debug, as that program wrote them.
  const log = world.output
    .join("")
    .split("\n")
    .filter((line) => !line.includes('"upstream wrote to stderr"'));
  const found = Object.keys(places).map((place) => {
    const tables = rows.filter((row) => sightings(word(place as Place), [row]).length > 0).map((row) => row.slice(0, row.indexOf(":")));
    return [place, [...new Set(tables)].sort()];
  });
  expect(Object.fromEntries(found)).toEqual(places);
  for (const [place, tables] of Object.entries(places)) {
    expect(sightings(word(place as Place), log), `${place} in the log`).toEqual([]);
    expect(sightings(word(place as Place), world.traces), `${place} in a trace`).toEqual([]);
    expect(sightings(word(place as Place), written), `${place} in a file`).toEqual([]);
    if (tables.length === 0) expect(sightings(word(place as Place), shown), `${place} in what auditors are shown`).toEqual([]);
  }
  expect(world.traces.length).toBeGreaterThan(0);
}, 120_000);
