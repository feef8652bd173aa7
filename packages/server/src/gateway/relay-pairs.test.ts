import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AskingServer } from "../upstream/fixtures/asking-server.ts";
import { awkwardState, openAskingServer } from "../upstream/fixtures/asking-server.ts";
import { firstText, until } from "../upstream/upstreams.testing.ts";
import { connectClient, helpful, httpUpstream, openRelay } from "./relay.testing.ts";

type Relay = Awaited<ReturnType<typeof openRelay>>;
let sessions: AskingServer;
let stateless: AskingServer;
let relays: Record<"old" | "new", Relay>;

beforeAll(async () => {
  sessions = await openAskingServer("sessions");
  stateless = await openAskingServer("stateless");
  relays = {
    old: await openRelay([httpUpstream("old", sessions.url)]),
    new: await openRelay([httpUpstream("new", stateless.url)]),
  };
});

afterAll(async () => {
  await relays.old[Symbol.asyncDispose]();
  await relays.new[Symbol.asyncDispose]();
  await sessions[Symbol.asyncDispose]();
  await stateless[Symbol.asyncDispose]();
});

const call = async (client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> =>
  firstText(await client.callTool({ name, arguments: args }));

describe.each([
  ["legacy", "old"],
  ["legacy", "new"],
  ["modern", "old"],
  ["modern", "new"],
] as const)("[CTL-39] a %s client of the %s upstream", (era, upstream) => {
  test("[AUD-07] is asked in its own manner, as often as the upstream asks, and each question is an action", async () => {
    const person = helpful();
    const client = await connectClient(`${relays[upstream].url}/mcp/${upstream}`, era, person);
    const before = (await relays[upstream].remit.actions()).length;
    expect(await call(client, "ask_twice", { greeting: "Hello" })).toBe("Hello Ada of Turin");
    expect(await call(client, "think")).toBe('thought: {"type":"text","text":"forty-two"}');
    expect(await call(client, "where")).toBe("roots: 2");
    expect(person.asked).toEqual(["name", "town", "model", "roots"]);
    const taken = (await relays[upstream].remit.actions()).slice(before);
    expect(taken.every(({ state }) => state === "succeeded")).toBe(true);
    const asked = taken.map(({ tool }) => tool).filter((tool) => tool.includes("__mcp."));
    expect(asked).toEqual([
      `${upstream}__mcp.elicitation.create`,
      `${upstream}__mcp.elicitation.create`,
      `${upstream}__mcp.sampling.createMessage`,
      `${upstream}__mcp.roots.list`,
    ]);
    await client.close();
  });

  test("is told of progress and of what is logged, and nothing of what it does not want", async () => {
    const client = await connectClient(`${relays[upstream].url}/mcp/${upstream}`, era);
    const progress: unknown[] = [];
    const logged: unknown[] = [];
    client.setNotificationHandler("notifications/message", ({ params }) => void logged.push(params.data));
    if (era === "legacy") await client.setLoggingLevel("info");
    const _meta = {
      "example.com/kept": { deep: [1] },
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      ...(era === "modern" ? { "io.modelcontextprotocol/logLevel": "info" } : {}),
    };
    const result = await client.callTool(
      { name: "steps", arguments: {}, _meta },
      { onprogress: ({ progress: now, total }) => void progress.push([now, total]) },
    );
    expect(progress).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(logged).toEqual(["beginning"]);
    const sent = JSON.parse(firstText(result)) as Record<string, unknown>;
    expect(sent["example.com/kept"]).toEqual({ deep: [1] });
    // The same trace; our own span in it.
    expect(sent["traceparent"]).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01$/);
    await client.close();
  });

  test("reads, fills in, completes and takes back", async () => {
    const client = await connectClient(`${relays[upstream].url}/mcp/${upstream}`, era);
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri).sort()).toEqual(["note://one", "note://picture", "note://secret"]);
    expect((await client.listResourceTemplates()).resourceTemplates).toMatchObject([{ uriTemplate: "note://any/{id}" }]);
    expect((await client.readResource({ uri: "note://picture" })).contents).toMatchObject([{ uri: "note://picture", blob: "AAEC" }]);
    expect((await client.readResource({ uri: "note://any/7" })).contents).toMatchObject([{ text: "note 7" }]);
    expect((await client.listPrompts()).prompts).toMatchObject([{ name: "greet" }]);
    const { messages } = await client.getPrompt({ name: "greet", arguments: { name: "Ada" } });
    expect(messages).toMatchObject([{ content: { text: "Say hello to Ada" } }]);
    const ref = { type: "ref/prompt" as const, name: "greet" };
    expect((await client.complete({ ref, argument: { name: "name", value: "a" } })).completion.values).toEqual(["ada", "alan"]);
    await expect(client.readResource({ uri: "note://nothing" })).rejects.toMatchObject({ code: expect.any(Number) as number });

    const server = upstream === "old" ? sessions : stateless;
    const cancelled = server.states.filter((state) => state === "hang was cancelled").length;
    const asked = server.seen.length;
    const aborting = new AbortController();
    const hanging = client.callTool({ name: "hang", arguments: {} }, { signal: aborting.signal });
    await until(() => server.seen.length > asked);
    aborting.abort();
    await expect(hanging).rejects.toThrow();
    await until(() => server.states.filter((state) => state === "hang was cancelled").length > cancelled);
    await client.close();
  });

  test("hears of a resource that it follows and of lists that change", async () => {
    const client = await connectClient(`${relays[upstream].url}/mcp/${upstream}`, era);
    const heard: string[] = [];
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.push(params.uri));
    client.setNotificationHandler("notifications/prompts/list_changed", () => void heard.push("prompts"));
    let listening: { close(): Promise<void> } | null = null;
    if (era === "legacy") await client.subscribeResource({ uri: "note://one" });
    else listening = await client.listen({ promptsListChanged: true, resourceSubscriptions: ["note://one"] });
    await call(client, "touch");
    await until(() => heard.includes("note://one") && heard.includes("prompts"));
    await listening?.close();
    if (era === "legacy") await client.unsubscribeResource({ uri: "note://one" });
    await client.close();
  });
});

test("[CTL-39] that a client's folders have changed is told to the upstreams that have asked for them, and they ask again, as an action", async () => {
  const { url, remit } = relays.old;
  let roots = [{ uri: "file:///work" }];
  const client = await connectClient(`${url}/mcp/old`, "legacy", { roots: () => ({ roots }) });
  const other = await connectClient(`${url}/mcp/old`, "legacy", { roots: () => ({ roots: [{ uri: "file:///others" }] }) });
  expect(await call(client, "where")).toBe("roots: 1");
  expect(await call(other, "where")).toBe("roots: 1");
  const before = (await remit.actions()).length;
  const heard = (said: string) => sessions.states.filter((state) => state === said).length;
  const count = heard("heard of roots");
  roots = [{ uri: "file:///work" }, { uri: "file:///play" }];
  await client.sendRootsListChanged();
  await until(() => sessions.states.includes("roots: file:///work file:///play"));
  // One client's folders are nobody else's.
  expect(heard("heard of roots")).toBe(count + 1);
  expect(sessions.states).not.toContain("roots: file:///others");
  const taken = (await remit.actions()).slice(before);
  expect(taken).toMatchObject([{ tool: "old__mcp.roots.list", state: "succeeded" }]);
  await client.close();
  await other.close();
});

test("[CTL-39] an upstream's state comes back to it byte for byte, and no client can read or change it on the way", () => {
  const given = stateless.states.filter((state) => state !== "hang was cancelled");
  expect(given.length).toBeGreaterThanOrEqual(4);
  expect(new Set(given)).toEqual(new Set([awkwardState, `${awkwardState}Ada`]));
});
