import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createTaskSessionFromClient } from "@modelcontextprotocol/ext-tasks/client";
import type { JsonObject } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { terminalEntries } from "../action/action-path.testing.ts";
import { startActionExecutor } from "../action/action-executor.ts";
import { createFollowedActions } from "../action/followed-actions.ts";
import type { TaskManner } from "../upstream/fixtures/task-server.ts";
import { openTaskServer } from "../upstream/fixtures/task-server.ts";
import { until } from "../upstream/upstreams.testing.ts";
import { createApprovalAnswers } from "./approval-answer.ts";
import { declaring, followsTasks, opensUrls } from "./approval-protocol.testing.ts";
import { createApprovalTasks } from "./approval-tasks.ts";
import { postStateless } from "./gateway.testing.ts";
import { connectClient, httpUpstream, openRelay } from "./relay.testing.ts";
import { createUsedStates } from "./used-states.postgres.ts";

const built = { content: [{ type: "text", text: "built" }] };
const question = {
  method: "elicitation/create",
  params: { message: "Which branch?", requestedSchema: { type: "object", properties: {} } },
};

async function open(manner: TaskManner = "extension") {
  const server = await openTaskServer(manner);
  const relay = await openRelay([httpUpstream("ci", server.url)], {
    approvals: (remit, states) => {
      const used = createUsedStates(remit.database, remit.deps.now);
      const actions = createFollowedActions(remit.deps);
      const { approvals, tasks: running } = remit;
      const tasks = createApprovalTasks({
        states,
        used,
        actions,
        approvals,
        running,
        structured: () => true,
        now: remit.deps.now,
        pollMs: 10,
      });
      return { tasks, answers: createApprovalAnswers({ states, used, actions, tasks }) };
    },
  });
  const url = `${relay.url}/mcp/ci`;
  const send = (method: string, params: JsonObject, capabilities: JsonObject = followsTasks, token = "good") => {
    const named = typeof params["taskId"] === "string" ? { "mcp-name": params["taskId"] } : {};
    return postStateless(url, method, { ...params, _meta: declaring(capabilities) }, { authorization: `Bearer ${token}`, ...named });
  };
  const call = async (capabilities: JsonObject = followsTasks) =>
    (await send("tools/call", { name: "build", arguments: {} }, capabilities)).json.result;
  const get = async (taskId: unknown) => (await send("tasks/get", { taskId } as JsonObject)).json.result;
  return {
    server,
    relay,
    url,
    send,
    call,
    get,
    terminal: async () => [...terminalEntries(await relay.remit.entries()).values()].flat(),
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe.each(["extension", "experiment"] as const)("[CTL-39][CTL-26] an upstream that makes a task of a call (%s)", (manner) => {
  test("a client that follows tasks is given one of ours, at once; it ends as the upstream's does, in exactly one entry", async () => {
    await using it = await open(manner);
    const task = await it.call();
    expect(task).toMatchObject({ resultType: "task", status: "working", statusMessage: "The build has begun" });
    expect(JSON.stringify(task)).not.toContain("upstream-own-task");
    expect(await it.terminal()).toEqual([]);
    it.server.set({ statusMessage: "Half of it" });
    await expect.poll(async () => (await it.get(task["taskId"]))["statusMessage"]).toBe("Half of it");
    it.server.set({ status: "completed", result: built });
    await expect.poll(async () => (await it.get(task["taskId"]))["status"]).toBe("completed");
    const ended = await it.get(task["taskId"]);
    expect(ended).toMatchObject({ resultType: "complete", result: { content: [{ text: "built" }] } });
    expect(JSON.stringify(ended)).not.toContain("upstream-own-task");
    expect(await it.terminal()).toEqual(["action-succeeded"]);
    // Whoever has to look there finds in the record what it is called there.
    const [entry] = (await it.relay.remit.entries()).filter(({ type }) => type === "action-succeeded");
    expect(entry?.data["task"]).toEqual({ upstream: "ci", id: "upstream-own-task-1" });
    expect(await it.relay.remit.database.query("SELECT FROM upstream_task")).toEqual([]);
  });

  test("a client that does not, or shakes hands, waits for the result", async () => {
    await using it = await open(manner);
    const calling = it.call({});
    await until(() => it.server.ids().length === 1);
    it.server.set({ status: "completed", result: built });
    expect(await calling).toMatchObject({ resultType: "complete", content: [{ text: "built" }] });
    const client = await connectClient(it.url, "legacy");
    const older = client.callTool({ name: "build", arguments: {} });
    await until(() => it.server.ids().length === 2);
    it.server.set({ status: "completed", result: built });
    expect(await older).toMatchObject({ content: [{ text: "built" }] });
    await client.close();
    expect(await it.terminal()).toEqual(["action-succeeded", "action-succeeded"]);
  });

  test("cancelling ours cancels the upstream's, also from another server; one that has ended stays as it is", async () => {
    await using it = await open(manner);
    const task = await it.call();
    const other = await it.relay.remit.another();
    const [row] = await it.relay.remit.actions();
    expect(await other.tasks.cancel(String(row?.id) as never, "agent:support-agent")).toBe(true);
    await expect.poll(() => it.server.statusOf("upstream-own-task-1")).toBe("cancelled");
    await expect.poll(async () => (await it.get(task["taskId"]))["status"]).toBe("cancelled");
    const second = await it.call();
    expect((await it.send("tasks/cancel", { taskId: second["taskId"] } as JsonObject)).json.result).toMatchObject({
      resultType: "complete",
    });
    await expect.poll(() => it.server.statusOf("upstream-own-task-2")).toBe("cancelled");
    await expect.poll(async () => (await it.get(second["taskId"]))["status"]).toBe("cancelled");
    expect((await it.send("tasks/cancel", { taskId: second["taskId"] } as JsonObject)).json.result).toMatchObject({
      resultType: "complete",
    });
    expect(await it.terminal()).toEqual(["action-cancelled", "action-cancelled"]);
  });
});

describe("[CTL-39] a task of ours for an upstream's", () => {
  test("[CTL-22] is the agent's alone; a forged one is as unknown as one that never was", async () => {
    await using it = await open();
    const { taskId } = (await it.call()) as { taskId: string };
    const forged = `${taskId.slice(0, 40)}${taskId[40] === "A" ? "B" : "A"}${taskId.slice(41)}`;
    for (const method of ["tasks/get", "tasks/cancel", "tasks/update"]) {
      for (const [id, token] of [
        [taskId, "other"],
        [forged, "good"],
        ["upstream-own-task-1", "good"],
      ] as const) {
        const { json } = await it.send(method, { taskId: id, inputResponses: {} }, followsTasks, token);
        expect(json.error).toEqual({ code: -32602, message: "Unknown task" });
      }
    }
    expect(it.server.statusOf("upstream-own-task-1")).toBe("working");
  });

  test("[SAF-01] a halt cancels the upstream's work, and ends the action as halted", async () => {
    await using it = await open();
    const task = await it.call();
    const { remit } = it.relay;
    await remit.halts.engage(remit.person("ben"), { mode: "halt", scope: { type: "everything" }, reason: "drill" });
    await expect.poll(() => it.server.statusOf("upstream-own-task-1")).toBe("cancelled");
    await expect.poll(it.terminal).toEqual(["action-halted"]);
    await expect.poll(async () => (await it.get(task["taskId"]))["status"]).toBe("completed");
    expect(await it.get(task["taskId"])).toMatchObject({ result: { isError: true, _meta: { "remit/outcome": { code: "halted" } } } });
  });

  test("asks what the upstream asks, once that is decided, and takes the answer back", async () => {
    await using it = await open();
    const asks = { ...followsTasks, ...opensUrls };
    const task = await it.call(asks);
    it.server.set({ status: "input_required", inputRequests: { branch: question } });
    await expect.poll(async () => (await it.get(task["taskId"]))["status"]).toBe("input_required");
    const { inputRequests } = (await it.get(task["taskId"])) as { inputRequests: Record<string, unknown> };
    expect(Object.values(inputRequests)).toMatchObject([{ method: "elicitation/create", params: { message: "Which branch?" } }]);
    const [key = ""] = Object.keys(inputRequests);
    const answer = { action: "accept", content: { branch: "main" } };
    await it.send("tasks/update", { taskId: task["taskId"], inputResponses: { other: answer } } as JsonObject, asks);
    expect((await it.get(task["taskId"]))["status"]).toBe("input_required");
    await it.send("tasks/update", { taskId: task["taskId"], inputResponses: { [key]: answer } } as JsonObject, asks);
    await expect.poll(() => it.server.answers).toEqual([{ branch: answer }]);
    await expect.poll(async () => (await it.get(task["taskId"]))["status"]).toBe("working");
    it.server.set({ status: "completed", result: built });
    await expect.poll(async () => (await it.get(task["taskId"]))["status"]).toBe("completed");
    const tools = (await it.relay.remit.actions()).map(({ tool, state }) => `${tool} ${state}`);
    expect(tools).toEqual(["ci__build succeeded", "ci__mcp.elicitation.create succeeded"]);
  });

  test("[AUD-14] of a server that is lost is unknown, once, and the entry says where to look", async () => {
    await using it = await open();
    const task = await it.call();
    const { remit } = it.relay;
    await remit.database.query("SELECT FROM upstream_task");
    // As if its server had died: nobody is left that sees to it.
    await remit.superuser.query("UPDATE action SET instance = gen_random_uuid()");
    const other = await remit.another();
    const executor = startActionExecutor(other.deps, { executeGranted: async () => 0, onGranted: () => undefined });
    await expect.poll(async () => (await it.get(task["taskId"]))["status"]).toBe("completed");
    await executor.stop();
    expect(await it.get(task["taskId"])).toMatchObject({
      result: { isError: true, _meta: { "remit/outcome": { code: "outcome-unknown" } } },
    });
    it.server.set({ status: "completed", result: built });
    await expect.poll(() => remit.deps.inFlight.size()).toBe(0);
    expect(await it.terminal()).toEqual(["action-unknown"]);
    const [entry] = (await remit.entries()).filter(({ type }) => type === "action-unknown");
    expect(entry?.data["task"]).toEqual({ upstream: "ci", id: "upstream-own-task-1" });
  });

  test("the official client of the extension follows it to the result", async () => {
    await using it = await open();
    const info = { name: "test-client", version: "1.0.0" };
    const client = new Client(info, { versionNegotiation: { mode: { pin: "2026-07-28" } }, capabilities: followsTasks });
    const requestInit = { headers: { authorization: "Bearer good" } };
    await client.connect(new StreamableHTTPClientTransport(new URL(it.url), { requestInit }));
    const session = createTaskSessionFromClient(client, {
      endpointId: "remit",
      v2RequestFraming: { protocolVersion: "2026-07-28", clientInfo: info, clientCapabilities: followsTasks },
      rawDispatch: async (request) => {
        const { method, params } = request as { method: string; params: JsonObject };
        const { json } = await it.send(method, params);
        return json.error === undefined ? { kind: "result", result: json.result } : { kind: "error", error: json.error };
      },
    });
    const execution = await session.callTool("build", {});
    expect(execution.kind).toBe("task");
    it.server.set({ status: "completed", result: built });
    expect((await execution.settle()).outcome).toMatchObject({ result: { content: [{ text: "built" }] } });
    await session.close();
    await client.close();
  });
});
