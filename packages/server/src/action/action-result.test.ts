import { RemitError, type ToolResult } from "@remit/contract";
import { expect, test } from "vitest";
import { RpcError } from "../mcp/rpc-error.ts";
import { type TestActionPath, everythingGranted, openTestActionPath, terminalEntries } from "./action-path.testing.ts";

const obligation = (type: string, params: object): string =>
  `@id("duty.${type}") @obligation("${type}") @params("${JSON.stringify(params).replaceAll('"', '\\"')}") permit (principal, action, resource);\n`;

const read = (remit: TestActionPath) => remit.act("tickets.read", { id: "1" });

/** Everything that is kept of an action: its row, its entries, and its payloads opened. */
async function kept(remit: TestActionPath, actionId: string): Promise<string> {
  const entries = await remit.superuser.query<{ id: string }>("SELECT id FROM ledger_entry WHERE action_id = $1", [actionId]);
  const payloads = await Promise.all(
    entries.flatMap(({ id }) => ["arguments", "result"].map((name) => remit.deps.payloads.open(id as never, name))),
  );
  return JSON.stringify([await remit.actions(), await remit.entries(actionId), payloads]);
}

const customer = { name: "Kim", phone: "+49 30 1234567", vip: true, age: 42, note: 'says "hi"\nand\\more' };
const pointers = ["phone", "vip", "age", "note"].map((name) => `/structuredContent/customer/${name}`);

test.each<[string, ToolResult["content"]]>([
  ["as JSON text", [{ type: "text", text: JSON.stringify({ customer }) }]],
  ["as indented JSON text", [{ type: "text", text: JSON.stringify({ customer }, null, 2) }]],
  ["in a sentence", [{ type: "text", text: `Kim, ${customer.phone}, ${customer.note}` }]],
  ["in a resource", [{ type: "resource", resource: { uri: "x://1", text: `call ${customer.phone}; ${JSON.stringify(customer.note)}` } }]],
])(
  "[RUN-06][CTL-13][CTL-33] what is redacted reaches neither caller nor ledger, also when the tool says it again %s",
  async (_, content) => {
    await using remit = await openTestActionPath({ policy: everythingGranted + obligation("redact", { pointers }) });
    remit.upstream.answer = () => ({ content, structuredContent: { customer } });
    const outcome = await read(remit);
    if (outcome.type !== "succeeded") throw new Error(JSON.stringify(outcome));
    expect(outcome.result.structuredContent).toEqual({
      customer: { name: "Kim", phone: "[redacted]", vip: "[redacted]", age: "[redacted]", note: "[redacted]" },
    });
    const everything = JSON.stringify(outcome) + (await kept(remit, outcome.actionId));
    expect(everything).toContain("Kim");
    for (const secret of ["1234567", "and\\\\", '\\"vip\\":true', '\\"age\\":42', '\\"age\\": 42'])
      expect(everything).not.toContain(secret);
  },
);

test("[CTL-13][CTL-37] a result without the place in which something must be redacted is withheld", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted + obligation("redact", { pointers }) });
  remit.upstream.answer = () => ({ content: [{ type: "text", text: `Kim, ${customer.phone}` }] });
  const outcome = await read(remit);
  expect(outcome).toMatchObject({ type: "failed", code: "result-invalid" });
  expect(JSON.stringify(outcome) + (await kept(remit, outcome.actionId))).not.toContain("1234567");
});

test.each<[string, ToolResult, string | null]>([
  ["cites", { content: [], structuredContent: { citations: [{ article: "kb-1" }] } }, null],
  ["cites nothing", { content: [], structuredContent: { citations: [] } }, "citation-missing"],
  ["has no place for citations", { content: [], structuredContent: {} }, "citation-missing"],
  ["is only text", { content: [{ type: "text", text: '{"citations":[1]}' }] }, "citation-missing"],
])("[RUN-06] a result that must cite its sources and %s", async (_, result, code) => {
  await using remit = await openTestActionPath({ policy: everythingGranted + obligation("require_citation", { pointer: "/citations" }) });
  remit.upstream.answer = () => result;
  const outcome = await read(remit);
  expect(code === null ? outcome.type : "code" in outcome && outcome.code).toBe(code ?? "succeeded");
});

test("[CTL-13] who is to be told is told of what happened, and not of what did not", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted + obligation("notify", { to: ["finance"] }) });
  const outcome = await read(remit);
  expect((await remit.entries(outcome.actionId)).at(-1)).toMatchObject({ type: "notification-recorded", data: { to: ["finance"] } });
  remit.upstream.answer = () => ({ content: [], isError: true });
  const failed = await read(remit);
  expect((await remit.entries(failed.actionId)).map(({ type }) => type)).toEqual(["action-intended", "action-failed"]);
});

const pin = {
  description: "Reads",
  inputSchema: { type: "object", properties: { id: { type: "string" } } },
  outputSchema: { type: "object", properties: { total: { type: "integer" } }, required: ["total"] },
  digest: "c".repeat(64),
};
test.each<[string, ToolResult, string]>([
  ["lacks its structured content", { content: [{ type: "text", text: "canary" }] }, "result-invalid"],
  ["does not fit its schema", { content: [], structuredContent: { total: "canary" } }, "result-invalid"],
  ["holds a lone surrogate", { content: [{ type: "text", text: "canary \ud800" }], structuredContent: { total: 1 } }, "result-invalid"],
  ["holds a number that no reader agrees on", { content: [], structuredContent: { total: 2 ** 70, what: "canary" } }, "result-invalid"],
  [
    "is nested without end",
    { content: [], structuredContent: { total: 1, what: JSON.parse("[".repeat(90) + "]".repeat(90)) as [] } },
    "result-invalid",
  ],
  ["is an error with U+0000 in it", { content: [{ type: "text", text: "bad \0 thing" }], isError: true }, "upstream-error"],
])("[RUN-06][AUD-14] a result that %s ends the action as failed, recorded, with what it says withheld", async (_, result, code) => {
  await using remit = await openTestActionPath({ policy: everythingGranted, tools: [{ name: "tickets.read", pin }] });
  remit.upstream.answer = () => result;
  const outcome = await read(remit);
  expect(outcome).toMatchObject({ type: "failed", code });
  expect(terminalEntries(await remit.entries()).get(outcome.actionId)).toEqual(["action-failed"]);
  expect(JSON.stringify(outcome) + (await kept(remit, outcome.actionId))).not.toContain("canary");
});

test("[AUD-14] what an upstream says of its failure is recorded, however long and whatever is in it", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted });
  remit.upstream.answer = () => Promise.reject(new Error(`\0\ud800${"x".repeat(200_000)}`));
  const outcome = await read(remit);
  expect(outcome).toMatchObject({ type: "failed", code: "upstream-error" });
  expect(terminalEntries(await remit.entries()).get(outcome.actionId)).toEqual(["action-failed"]);
});

test("[DAT-14] what policy wants looked for in a result is in none of its forms, and its arithmetic is no result's loss", async () => {
  await using remit = await openTestActionPath({
    policy: everythingGranted + obligation("redact", { detect: ["payment-card", "email"] }),
  });
  remit.upstream.answer = () => ({
    content: [{ type: "text", text: "4111 1111 1111 1111 of kim@example.org, order 4111111111111112" }],
    structuredContent: { card: 4111111111111111, total: 12 },
  });
  const outcome = await remit.act("tickets.read", { id: "1" });
  expect(outcome).toMatchObject({
    type: "succeeded",
    result: {
      content: [{ text: "[redacted] of [redacted], order 4111111111111112" }],
      structuredContent: { card: "[redacted]", total: 12 },
    },
  });
});

test("[DAT-14] what an upstream says of a failure is told to the caller, and in the record repeats nothing of the call", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted });
  remit.upstream.answer = () => {
    throw new RemitError("upstream-error", "No mailbox kim@example.org for Kim Lee (card 4111 1111 1111 1111)");
  };
  const outcome = await remit.act("send_email", { to: "kim@example.org", subject: "Kim Lee" });
  expect(outcome).toMatchObject({ type: "failed", reason: "No mailbox kim@example.org for Kim Lee (card 4111 1111 1111 1111)" });
  const [ended] = (await remit.entries()).filter(({ type }) => type === "action-failed");
  expect(ended?.data["reason"]).toBe("No mailbox [redacted] for [redacted] (card [redacted])");
  const [row] = await remit.database.query<{ reason: string }>("SELECT reason FROM action");
  expect(row?.reason).toBe(ended?.data["reason"]);
  if (outcome.type !== "failed") throw new Error(outcome.type);
  // Also of whom the call says nothing: the words of an error, or of a task that was cancelled, are heard, sealed beside the entry, and not in it.
  const words = "Lee Brown's account is closed";
  for (const cause of [new Error(words), new RpcError(-32000, words)]) {
    remit.upstream.answer = () => {
      throw new RemitError("upstream-error", `upstream "helpdesk" answered with error -32000: ${words}`, { cause });
    };
    expect(await remit.act("send_email", { to: "kim@example.org" })).toMatchObject({ reason: expect.stringContaining(words) as string });
    const last = (await remit.entries()).findLast(({ type }) => type === "action-failed");
    expect(last?.data["reason"]).toBe('upstream "helpdesk" answered with error -32000: [redacted]');
  }
  const [entry] = await remit.superuser.query<{ entry_id: string }>(
    "SELECT entry_id FROM ledger_payload WHERE name = 'failure' ORDER BY entry_id DESC",
  );
  expect(await remit.deps.payloads.open(entry?.entry_id as never, "failure")).toEqual({
    reason: `upstream "helpdesk" answered with error -32000: ${words}`,
  });
});
