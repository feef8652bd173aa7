import type { JsonObject } from "@remit/contract";
import { upstreamSpecSchema } from "@remit/contract";
import { describe, expect, test } from "vitest";
import type { TaskManner, TaskServer } from "./fixtures/task-server.ts";
import { openTaskServer } from "./fixtures/task-server.ts";
import type { Relay } from "./relay.ts";
import type { UpstreamCall, UpstreamTask } from "./upstreams.ts";
import { callOf, firstText, openFleet, until } from "./upstreams.testing.ts";

const spec = (server: TaskServer, more: JsonObject = {}) =>
  upstreamSpecSchema.parse({ kind: "upstream", name: "ci", owner: "ada", transport: { type: "http", url: server.url }, ...more });

async function open(manner: TaskManner, more: JsonObject = {}) {
  const server = await openTaskServer(manner);
  const fleet = openFleet([spec(server, more)]);
  await fleet.offered("ci");
  const told: UpstreamTask[] = [];
  const aborting = new AbortController();
  const call = (tool = "build", further: Partial<UpstreamCall> = {}) =>
    fleet.call({ ...callOf("ci", tool, {}, aborting.signal), onTask: (task) => void told.push(task), ...further });
  return {
    server,
    fleet,
    told,
    aborting,
    call,
    async [Symbol.asyncDispose]() {
      await fleet[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const built = { content: [{ type: "text", text: "built" }] };
const methods = ({ seen }: TaskServer) => seen.map(({ method }) => method);

describe.each(["extension", "experiment"] as const)("[CTL-39] a task of an upstream (%s)", (manner) => {
  test("is followed until it has ended, and its result is the call's; nothing of it names the upstream's task", async () => {
    await using it = await open(manner);
    const calling = it.call();
    await until(() => it.told.length > 0);
    it.server.set({ statusMessage: "Half of it" });
    await until(() => it.told.some(({ statusMessage }) => statusMessage === "Half of it"));
    it.server.set({ status: "completed", result: built });
    const result = await calling;
    expect(firstText(result)).toBe("built");
    expect(JSON.stringify(result)).not.toContain("upstream-own-task");
    expect(it.told[0]).toEqual({ upstream: "ci", id: "upstream-own-task-1", statusMessage: "The build has begun" });
    expect(methods(it.server)).not.toContain("tasks/cancel");
  });

  test("is asked again while the upstream cannot be reached, and lost where it forgot it", async () => {
    await using it = await open(manner);
    const calling = it.call();
    await until(() => it.told.length > 0);
    it.server.trouble.status = "drop";
    const before = it.server.seen.length;
    await until(() => it.server.seen.length > before + 1);
    it.server.trouble.status = null;
    it.server.set({ status: "completed", result: built });
    expect(firstText(await calling)).toBe("built");

    const lost = it.call();
    await until(() => it.server.ids().length === 2);
    it.server.forget();
    await expect(lost).rejects.toMatchObject({ code: "outcome-unknown", message: expect.stringContaining("no longer knows") as string });
  });

  test("[RUN-17] is cancelled at the upstream when nobody wants it any more, and when its time is up", async () => {
    await using it = await open(manner);
    const calling = it.call();
    await until(() => it.told.length > 0);
    it.aborting.abort();
    await expect(calling).rejects.toMatchObject({ code: "cancelled" });
    await until(() => it.server.statusOf("upstream-own-task-1") === "cancelled");

    await using hurried = await open(manner, { taskTimeoutMs: 1_000 });
    const late = hurried.call("build", { signal: new AbortController().signal });
    await expect(late).rejects.toMatchObject({ code: "upstream-timeout", message: expect.stringContaining("within 1 s") as string });
    await until(() => hurried.server.statusOf("upstream-own-task-1") === "cancelled");
  });

  test("may take longer than a call, and takes no place of the concurrency meanwhile", async () => {
    await using it = await open(manner, { concurrency: 1 });
    const timeoutMs = manner === "extension" ? 4_000 : 50_000;
    const calling = it.call("build", { timeoutMs });
    await until(() => it.told.length > 0);
    expect(firstText(await it.call("echo"))).toBe("at once");
    if (manner === "extension") await new Promise((resolve) => setTimeout(resolve, timeoutMs + 100));
    it.server.set({ status: "completed", result: built });
    expect(firstText(await calling)).toBe("built");
    expect(firstText(await it.call("echo"))).toBe("at once");
  });

  test("that fails, or is cancelled by the upstream, is an error that says so", async () => {
    await using it = await open(manner);
    const failing = it.call();
    await until(() => it.told.length > 0);
    it.server.set({ status: "failed", error: { code: -32050, message: "the disk is full" } });
    await expect(failing).rejects.toMatchObject({ code: "upstream-error", message: expect.stringContaining("the disk is full") as string });
    const cancelled = it.call();
    await until(() => it.server.ids().length === 2);
    it.server.set({ status: "cancelled", statusMessage: "superseded" });
    await expect(cancelled).rejects.toMatchObject({
      code: "upstream-error",
      message: expect.stringContaining("cancelled its task: superseded") as string,
    });
    const strange = it.call();
    await until(() => it.server.ids().length === 3);
    it.server.set({ status: "dancing" });
    await expect(strange).rejects.toMatchObject({ code: "upstream-error" });
  });

  test("that asks is answered by the client where there is one that can be asked, and given up where there is none", async () => {
    await using it = await open(manner);
    const question = {
      method: "elicitation/create",
      params: { message: "Which branch?", requestedSchema: { type: "object", properties: {} } },
    };
    const asked: unknown[] = [];
    const relay: Relay = {
      stateless: manner === "extension",
      capabilities: { elicitation: {} },
      lane: "client-1",
      principal: "support-agent",
      meta: {},
      progress: false,
      onNotification: () => undefined,
      ask: async (request) => {
        asked.push(request.params["message"]);
        return { action: "accept", content: { branch: "main" } };
      },
    };
    const calling = it.call("build", { relay });
    await until(() => it.told.length > 0);
    it.server.set({ status: "input_required", inputRequests: { branch: question } });
    await until(() => it.server.answers.length > 0);
    expect(it.server.answers).toEqual([{ branch: { action: "accept", content: { branch: "main" } } }]);
    it.server.set({ status: "completed", result: built });
    expect(firstText(await calling)).toBe("built");
    expect(asked).toEqual(["Which branch?"]);

    if (manner === "experiment") return;
    const alone = it.call();
    await until(() => it.server.ids().length === 2);
    it.server.set({ status: "input_required", inputRequests: { branch: question } });
    await expect(alone).rejects.toMatchObject({ code: "upstream-error", message: expect.stringContaining("nobody is there") as string });
    await until(() => it.server.statusOf("upstream-own-task-2") === "cancelled");
  });
});

test("[CTL-39] a tool that leaves it to its caller is called as a task only where the caller can be told of one", async () => {
  await using it = await open("experiment");
  expect(firstText(await it.call("maybe"))).toBe("at once");
  const calling = it.call("maybe", { mayBeTask: true });
  await until(() => it.told.length > 0);
  it.server.set({ status: "completed", result: built });
  expect(firstText(await calling)).toBe("built");
});

test("[CTL-39] a task that nobody asked for is no answer", async () => {
  await using it = await open("experiment");
  await expect(it.call("rogue")).rejects.toMatchObject({
    code: "upstream-error",
    message: expect.stringContaining("asked for none") as string,
  });
  expect(it.told).toEqual([]);
});
