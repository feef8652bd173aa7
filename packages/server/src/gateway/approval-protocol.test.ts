import { setTimeout as delay } from "node:timers/promises";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createTaskSessionFromClient } from "@modelcontextprotocol/ext-tasks/client";
import type { JsonObject } from "@remit/contract";
import { operations } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { terminalEntries } from "../action/action-path.testing.ts";
import { declaring, followsTasks, openApprovalGateway, opensUrls } from "./approval-protocol.testing.ts";
import { postStateless } from "./gateway.testing.ts";

type Opened = Awaited<ReturnType<typeof openApprovalGateway>>;

const mail = { to: "kim@example.com", body: "Hello" };
const call = { name: "helpdesk__send_email", arguments: mail };
const info = { name: "test-client", version: "1.0.0" };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** A request as a client makes it that declares these capabilities. */
function ask(opened: Opened, capabilities: JsonObject, params: JsonObject, more: { method?: string; token?: string } = {}) {
  const { method = "tools/call", token = "good" } = more;
  const task = typeof params["taskId"] === "string" ? { "mcp-name": params["taskId"] } : {};
  return postStateless(opened.url, method, { ...params, _meta: declaring(capabilities) }, { ...bearer(token), ...task });
}

async function openClient(opened: Opened, capabilities: JsonObject, onElicit?: (params: JsonObject) => unknown) {
  const client = new Client(info, { versionNegotiation: { mode: { pin: "2026-07-28" } }, capabilities });
  if (onElicit !== undefined)
    client.setRequestHandler("elicitation/create", async (request) => onElicit(request.params as JsonObject) as never);
  await client.connect(new StreamableHTTPClientTransport(new URL(opened.url), { requestInit: { headers: bearer("good") } }));
  return client;
}

/** A member of a result that is text. */
const text = (result: JsonObject, member: string): string => JSON.parse(JSON.stringify(result[member] ?? "")) as string;

/** The same but for one character. */
const changedIn = (sealed: string): string => `${sealed.slice(0, 40)}${sealed[40] === "A" ? "B" : "A"}${sealed.slice(41)}`;

const executions = (opened: Opened) => opened.remit.upstream.calls.length;

describe("a client that opens addresses is asked for input", () => {
  test("[CTL-26][CTL-39] the official SDK's client opens the page, waits for the person, and gets the result of the one execution", async () => {
    await using opened = await openApprovalGateway();
    const asked: JsonObject[] = [];
    const votes: Promise<void>[] = [];
    const client = await openClient(opened, opensUrls, (params) => {
      asked.push(params);
      votes.push(delay(300).then(() => opened.vote()));
      return { action: "accept" };
    });
    const result = await client.callTool(call);
    // What was granted is carried out before whoever granted it is answered.
    await Promise.all(votes);
    expect(result).toMatchObject({ content: [{ type: "text", text: "done" }] });
    expect(result.isError).toBeUndefined();
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ mode: "url", url: expect.stringMatching(/^http:\/\/localhost:4680\/approvals\/apr_/) });
    expect(asked[0]?.["message"]).toContain("support-lead");
    expect(executions(opened)).toBe(1);
    // Asked again, it is the same action, and its outcome.
    expect(await client.callTool(call)).toMatchObject({ content: [{ text: "done" }] });
    expect(executions(opened)).toBe(1);
    await client.close();
  });

  test("[CTL-26] a person's no is the result; one who does not come is waited for only so long, and asked about once", async () => {
    await using opened = await openApprovalGateway({}, { holdMs: 50, maxRounds: 3 });
    const asked: JsonObject[] = [];
    const client = await openClient(opened, opensUrls, (params) => {
      asked.push(params);
      return { action: "accept" };
    });
    const late = await client.callTool(call);
    expect(late).toMatchObject({ isError: true, _meta: { "remit/outcome": { type: "waiting" } } });
    expect(asked).toHaveLength(1);
    await opened.vote("deny");
    expect(await client.callTool(call)).toMatchObject({ isError: true, _meta: { "remit/outcome": { code: "approval-rejected" } } });
    expect(executions(opened)).toBe(0);
    await client.close();
  });

  test("[CTL-26] whoever declines to open the page decides nothing: the call goes on waiting", async () => {
    await using opened = await openApprovalGateway();
    const client = await openClient(opened, opensUrls, () => ({ action: "decline" }));
    expect(await client.callTool(call)).toMatchObject({ isError: true, _meta: { "remit/outcome": { type: "waiting" } } });
    await opened.vote();
    await expect.poll(() => executions(opened)).toBe(1);
    await client.close();
  });

  test("[CTL-39] a client that can do neither, or fills in forms only, gets the result that says so", async () => {
    await using opened = await openApprovalGateway();
    for (const capabilities of [{}, { elicitation: {} }, { elicitation: { form: {} } }, { extensions: {} }]) {
      const { json } = await ask(opened, capabilities, call);
      expect(json.result).toMatchObject({ resultType: "complete", isError: true, _meta: { "remit/outcome": { type: "waiting" } } });
    }
  });
});

test("[CTL-26][CTL-39] reading a resource waits in the same way; a completion, which may not ask, is refused with what to do", async () => {
  const read = "mcp.resources.read";
  const gate = (
    name: string,
  ) => `@id("ask.${name}") @approval("support-lead") forbid (principal, action == Remit::Action::"helpdesk__${name}", resource)
    unless { context.approvals.contains(Remit::Team::"support-lead") };`;
  const complete = "mcp.completion.complete";
  await using opened = await openApprovalGateway({
    policy: `@id("grants.everything") permit (principal, action, resource); ${gate(read)} ${gate(complete)}`,
    tools: operations
      .filter(({ name }) => name === read || name === complete)
      .map(({ name, description, inputSchema }) => ({
        name,
        effect: "read" as const,
        pin: { description, inputSchema, outputSchema: null, digest: name },
      })),
    agents: [{ name: "support-agent", tools: [`helpdesk__${read}`, `helpdesk__${complete}`] }, { name: "other-agent" }],
  });
  opened.remit.upstream.answer = () => ({ content: [], structuredContent: { contents: [{ uri: "file:///plan", text: "ship" }] } });
  const uri = "remit://helpdesk/file:///plan";
  const headers = { ...bearer("good"), "mcp-name": uri };
  const first = await postStateless(opened.url, "resources/read", { uri, _meta: declaring({ ...followsTasks, ...opensUrls }) }, headers);
  expect(first.json.result).toMatchObject({ resultType: "input_required", inputRequests: { remit_approval: { params: { mode: "url" } } } });
  await opened.vote();
  const requestState = text(first.json.result, "requestState");
  const retry = { uri, requestState, inputResponses: { remit_approval: { action: "accept" } }, _meta: declaring(opensUrls) };
  const second = await postStateless(opened.url, "resources/read", retry, headers);
  expect(second.json.result).toMatchObject({ resultType: "complete", contents: [{ uri, text: "ship" }] });
  expect(executions(opened)).toBe(1);

  const ref = { type: "ref/prompt", name: "helpdesk__plan" };
  const asked = { ref, argument: { name: "a", value: "b" }, _meta: declaring(opensUrls) };
  const completion = await postStateless(opened.url, "completion/complete", asked, bearer("good"));
  expect(completion.json.error).toMatchObject({ code: -32004, data: { type: "waiting", teams: ["support-lead"] } });
});

describe("the state of a call that waits", () => {
  const begin = async (opened: Opened) => text((await ask(opened, opensUrls, call)).json.result, "requestState");
  const accepted = { remit_approval: { action: "accept" } };

  test("[CTL-22] forged, replayed, expired, another principal's or another request's, it is refused, and nothing runs", async () => {
    await using opened = await openApprovalGateway({}, { holdMs: 0 });
    const state = await begin(opened);
    expect(state).toMatch(/^s1\./);
    const retry = (requestState: unknown, more: JsonObject = {}, token = "good") =>
      ask(opened, opensUrls, { ...call, requestState, inputResponses: accepted, ...more } as JsonObject, { token });
    const refused = { error: { code: -32602, message: expect.stringContaining("requestState") } };
    const changed = changedIn(state);
    for (const forged of [changed, "", "x", 7, null, {}, state.slice(0, -2)]) expect((await retry(forged)).json).toMatchObject(refused);
    expect((await retry(state, {}, "other")).json).toMatchObject(refused);
    expect((await retry(state, { arguments: { ...mail, body: "other" } })).json).toMatchObject(refused);
    expect((await retry(state, { name: "helpdesk__read_ticket", arguments: {} })).json).toMatchObject(refused);
    // Still unused: none of those was a use of it.
    const first = await retry(state);
    expect(first.json.result).toMatchObject({ resultType: "input_required" });
    expect((await retry(state)).json).toMatchObject({ error: { message: expect.stringContaining("used already") } });
    const second = text(first.json.result, "requestState");
    // Longer than the request itself is open.
    opened.remit.clock.now += 30 * 86_400_000;
    expect((await retry(second)).json).toMatchObject({ error: { message: expect.stringContaining("expired") } });
    expect(executions(opened)).toBe(0);
  });

  test("[CTL-22][CTL-26] of many retries at once one is heard, and after the grant the action is carried out once", async () => {
    await using opened = await openApprovalGateway({}, { holdMs: 0 });
    const state = await begin(opened);
    await opened.vote();
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => ask(opened, opensUrls, { ...call, requestState: state, inputResponses: accepted })),
    );
    expect(answers.filter(({ json }) => json.error === undefined)).toHaveLength(1);
    await expect.poll(() => executions(opened)).toBe(1);
    const again = await ask(opened, opensUrls, call);
    expect(again.json.result).toMatchObject({ content: [{ text: "done" }] });
    expect(executions(opened)).toBe(1);
    const [terminal] = [...terminalEntries(await opened.remit.entries()).values()];
    expect(terminal).toEqual(["action-succeeded"]);
  });

  test("a new token of the same agent carries on", async () => {
    await using opened = await openApprovalGateway();
    const state = await begin(opened);
    await opened.vote();
    const { json } = await ask(opened, opensUrls, { ...call, requestState: state, inputResponses: accepted }, { token: "renewed" });
    expect(json.result).toMatchObject({ resultType: "complete", content: [{ text: "done" }] });
  });

  test("nothing of the arguments can be read from it", async () => {
    await using opened = await openApprovalGateway();
    const state = await begin(opened);
    expect(Buffer.from(state.slice(3), "base64url").toString("latin1")).not.toMatch(/kim|act_|support/);
  });
});

describe("a client that follows tasks is given one", () => {
  const tasksOf = (opened: Opened, capabilities = followsTasks) => ({
    create: async () => (await ask(opened, capabilities, call)).json.result,
    send: (method: string, taskId: unknown, more: JsonObject = {}, token = "good") =>
      ask(opened, capabilities, { taskId, ...more } as JsonObject, { method: `tasks/${method}`, token }),
  });

  test("[CTL-26][CTL-39] the official client of the extension follows it to the result", async () => {
    await using opened = await openApprovalGateway();
    const client = await openClient(opened, followsTasks);
    const framing = { protocolVersion: "2026-07-28", clientInfo: info, clientCapabilities: followsTasks as never };
    const session = createTaskSessionFromClient(client, {
      endpointId: "remit",
      v2RequestFraming: framing,
      rawDispatch: async (request) => {
        const { method, params } = request as { method: string; params: JsonObject };
        const named = text(params, "name" in params ? "name" : "taskId");
        const headers = { ...bearer("good"), "mcp-name": named };
        const { json } = await postStateless(opened.url, method, params, headers);
        return json.error === undefined ? { kind: "result", result: json.result } : { kind: "error", error: json.error };
      },
    });
    const execution = await session.callTool(call.name, mail);
    expect(execution.kind).toBe("task");
    const [{ outcome }] = await Promise.all([execution.settle(), opened.vote()]);
    expect(outcome).toMatchObject({ result: { content: [{ type: "text", text: "done" }] } });
    expect(executions(opened)).toBe(1);
    await session.close();
    await client.close();
  });

  test("[CTL-26] it says how the action stands: waiting, carried out, refused or withdrawn", async () => {
    await using opened = await openApprovalGateway();
    const { create, send } = tasksOf(opened);
    const task = await create();
    expect(task).toMatchObject({ resultType: "task", status: "working", pollIntervalMs: 10, createdAt: "2026-11-21T09:00:00.000Z" });
    const waiting = await send("get", task["taskId"]);
    expect(waiting.json.result).toMatchObject({ resultType: "complete", taskId: task["taskId"], status: "working" });
    expect(waiting.json.result["statusMessage"]).toContain("support-lead");
    await opened.vote("deny");
    const denied = await send("get", task["taskId"]);
    expect(denied.json.result).toMatchObject({
      status: "completed",
      result: { isError: true, _meta: { "remit/outcome": { code: "approval-rejected" } } },
    });
  });

  test("[CTL-26] cancelling it withdraws the request; nobody can approve it afterwards", async () => {
    await using opened = await openApprovalGateway();
    const { create, send } = tasksOf(opened);
    const task = await create();
    expect((await send("cancel", task["taskId"])).json.result).toMatchObject({ resultType: "complete" });
    expect((await send("get", task["taskId"])).json.result).toMatchObject({ status: "cancelled" });
    const entries = await opened.remit.entries();
    expect(entries.filter(({ type }) => type === "approval-cancelled")).toMatchObject([{ actor: "agent:support-agent" }]);
    await expect(opened.vote()).rejects.toThrow();
    expect((await send("cancel", task["taskId"])).json.result).toMatchObject({ resultType: "complete" });
    expect(executions(opened)).toBe(0);
  });

  test("[CTL-22] one of somebody else's, a forged one and one that never was are the same: unknown", async () => {
    await using opened = await openApprovalGateway();
    const { create, send } = tasksOf(opened);
    const taskId = text(await create(), "taskId");
    const state = text((await ask(opened, opensUrls, call)).json.result, "requestState");
    const answers = new Set<string>();
    for (const method of ["get", "update", "cancel"]) {
      for (const [id, token] of [
        [taskId, "other"],
        [changedIn(taskId), "good"],
        ["786512e2-9e0d-44bd-8f29-789f320fe840", "good"],
        [state, "good"],
      ] as const) {
        const { status, json } = await send(method, id, { inputResponses: {} }, token);
        answers.add(JSON.stringify([status, json.error]));
      }
    }
    expect([...answers]).toEqual([JSON.stringify([200, { code: -32602, message: "Unknown task" }])]);
    expect((await send("get", taskId)).json.result).toMatchObject({ status: "working" });
    opened.remit.clock.now += 60 * 86_400_000;
    expect((await send("get", taskId)).json.error.message).toBe("Unknown task");
  });

  test("[CTL-39] a client that opens addresses as well is asked through the task, once", async () => {
    await using opened = await openApprovalGateway();
    const { create, send } = tasksOf(opened, { ...followsTasks, ...opensUrls });
    const task = await create();
    expect(task).toMatchObject({ resultType: "task" });
    const asks = await send("get", task["taskId"]);
    expect(asks.json.result).toMatchObject({
      status: "input_required",
      inputRequests: { remit_approval: { method: "elicitation/create", params: { mode: "url" } } },
    });
    await send("update", task["taskId"], { inputResponses: { other: { action: "accept" } } });
    expect((await send("get", task["taskId"])).json.result["status"]).toBe("input_required");
    await send("update", task["taskId"], { inputResponses: { remit_approval: { action: "accept" } } });
    expect((await send("get", task["taskId"])).json.result["status"]).toBe("working");
    await opened.vote();
    await expect.poll(async () => (await send("get", task["taskId"])).json.result["status"]).toBe("completed");
    expect(executions(opened)).toBe(1);
  });

  test("[CTL-39] a request without the extension, or with a header that names another task, is refused", async () => {
    await using opened = await openApprovalGateway();
    const { create } = tasksOf(opened);
    const taskId = text(await create(), "taskId");
    const without = await ask(opened, {}, { taskId }, { method: "tasks/get" });
    expect(without).toMatchObject({ status: 400, json: { error: { code: -32021 } } });
    const headers = { ...bearer("good"), "mcp-name": "another" };
    const other = await postStateless(opened.url, "tasks/get", { taskId, _meta: declaring(followsTasks) }, headers);
    expect(other).toMatchObject({ status: 400, json: { error: { code: -32020 } } });
    const unknown = await ask(opened, followsTasks, {}, { method: "tasks/list" });
    expect(unknown.json.error.code).toBe(-32601);
  });
});
