import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { everythingGranted } from "../action/action-path.testing.ts";
import type { AskingServer } from "../upstream/fixtures/asking-server.ts";
import { openAskingServer } from "../upstream/fixtures/asking-server.ts";
import { firstText } from "../upstream/upstreams.testing.ts";
import { post, postStateless } from "./gateway.testing.ts";
import { connectClient, helpful, httpUpstream, openRelay } from "./relay.testing.ts";

let server: AskingServer;
let sessions: AskingServer;
beforeAll(async () => {
  server = await openAskingServer("stateless");
  sessions = await openAskingServer("sessions");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await sessions[Symbol.asyncDispose]();
});

const questions = ["mcp.elicitation.create", "mcp.sampling.createMessage", "mcp.roots.list"];

describe.each(["old", "new"] as const)("[CTL-18][CTL-19] what nobody has granted, at the %s upstream", (upstream) => {
  test.each(["legacy", "modern"] as const)(
    "is neither listed, read nor asked for a %s client, and every attempt is recorded",
    async (era) => {
      const { url } = upstream === "old" ? sessions : server;
      const withhold = [...questions, "mcp.resources.read", "mcp.prompts.get", "mcp.completion.complete", "mcp.resources.subscribe"];
      await using relay = await openRelay([httpUpstream(upstream, url)], { withhold });
      const person = helpful();
      const client = await connectClient(`${relay.url}/mcp/${upstream}`, era, person);
      expect(client.getServerCapabilities()).toMatchObject({ tools: {} });
      expect(client.getServerCapabilities()).not.toHaveProperty("resources");
      expect(client.getServerCapabilities()).not.toHaveProperty("prompts");
      const refused = { code: -32003, data: { code: "tool-not-granted" } };
      await expect(client.request({ method: "resources/read", params: { uri: "note://one" } })).rejects.toMatchObject(refused);
      await expect(client.request({ method: "prompts/get", params: { name: "greet", arguments: { name: "x" } } })).rejects.toMatchObject(
        refused,
      );
      // It cannot be reached as a tool either.
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name).filter((name) => name.startsWith("mcp."))).toEqual([]);
      await expect(client.callTool({ name: "mcp.resources.read", arguments: { uri: "note://one" } })).rejects.toMatchObject({
        code: -32602,
      });
      // An upstream asks what it may not: its client never hears of it.
      for (const name of ["ask_twice", "think", "where"]) {
        await client.callTool({ name, arguments: name === "ask_twice" ? { greeting: "Hi" } : {} }).catch(() => undefined);
      }
      expect(person.asked).toEqual([]);
      const denied = (await relay.remit.entries()).filter(({ type }) => type === "action-denied");
      expect(denied.map(({ data }) => data["tool"])).toEqual([`${upstream}__mcp.resources.read`, `${upstream}__mcp.prompts.get`]);
      await client.close();
    },
  );
});

test("[CTL-18] policy decides by URI what is read and listed, and by its arguments what an upstream may ask", async () => {
  const policy = `${everythingGranted}
@id("no.secrets") forbid (principal, action == Remit::Action::"new__mcp.resources.read", resource) when { context.input.uri == "note://secret" };
@id("no.models") forbid (principal, action == Remit::Action::"new__mcp.sampling.createMessage", resource) when { context.input.maxTokens > 5 };
@id("picture.ask") @approval("support-lead")
forbid (principal, action == Remit::Action::"new__mcp.resources.read", resource)
when { context.input.uri == "note://picture" }
unless { context.approvals.contains(Remit::Team::"support-lead") };`;
  await using relay = await openRelay([httpUpstream("new", server.url)], { policy });
  const person = helpful();
  const client = await connectClient(`${relay.url}/mcp/new`, "modern", person);
  expect((await client.listResources()).resources.map(({ uri }) => uri).sort()).toEqual(["note://one", "note://picture"]);
  expect((await client.readResource({ uri: "note://one" })).contents).toMatchObject([{ text: "first" }]);
  await expect(client.readResource({ uri: "note://secret" })).rejects.toMatchObject({ code: -32003, data: { code: "policy-stop" } });
  const waits = { code: -32004, data: { type: "waiting", teams: ["support-lead"] } };
  await expect(client.readResource({ uri: "note://picture" })).rejects.toMatchObject(waits);
  expect(await client.callTool({ name: "think", arguments: {} })).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining("Refused by Remit") as string }],
  });
  expect(person.asked).toEqual([]);
  expect((await relay.remit.entries()).filter(({ data }) => data["code"] === "policy-stop").map(({ data }) => data["tool"])).toEqual([
    "new__mcp.resources.read",
    "new__mcp.sampling.createMessage",
  ]);
  await client.close();
});

test("[CST-09][CTL-18] a cap counts every way to an upstream, and a stop holds at each: both addresses, both eras, calls, reads, prompts and questions", async () => {
  const policy = `${everythingGranted}
@id("no.touch") forbid (principal, action == Remit::Action::"new__touch", resource);
@id("cap") @obligation("cap") @params("{\\"counts\\": \\"actions\\", \\"limit\\": 6, \\"per\\": \\"day\\", \\"scope\\": \\"agent\\"}")
permit (principal, action, resource);`;
  await using relay = await openRelay([httpUpstream("new", server.url)], { policy });
  const addresses = [
    { url: `${relay.url}/mcp`, touch: "new__touch", steps: "new__steps", greet: "new__greet", uri: "remit://new/note://one" },
    { url: `${relay.url}/mcp/new`, touch: "touch", steps: "steps", greet: "greet", uri: "note://one" },
  ];
  const person = helpful();
  const open = await Promise.all(
    addresses.map(async (address, index) => ({
      ...address,
      client: await connectClient(address.url, index === 0 ? "legacy" : "modern", person),
    })),
  );
  for (const { client, touch } of open) {
    expect((await client.listTools()).tools.map(({ name }) => name)).not.toContain(touch);
    expect(await client.callTool({ name: touch, arguments: {} }).catch(String)).toMatchObject({
      isError: true,
      _meta: { "remit/outcome": { code: "policy-stop" } },
    });
  }
  const [both, one] = open as [(typeof open)[0], (typeof open)[0]];
  expect(await both.client.callTool({ name: both.steps, arguments: {} })).not.toHaveProperty("isError");
  expect((await both.client.readResource({ uri: both.uri })).contents).toHaveLength(1);
  expect((await one.client.getPrompt({ name: one.greet, arguments: { name: "Ada" } })).messages).toHaveLength(1);
  // A call, the question to the model in it, and the call again with the answer.
  expect(firstText(await one.client.callTool({ name: "think", arguments: {} }))).toContain("forty-two");
  expect(person.asked).toEqual(["model"]);
  const [{ key, spent } = { key: "", spent: 0 }] = await relay.remit.windows();
  expect({ key: key.replace(/[\d-]+$/, ""), spent }).toEqual({ key: "cap/cap/agent/support-agent/", spent: 6 });
  const full = { data: { code: "rate-exceeded" } };
  await expect(both.client.readResource({ uri: both.uri })).rejects.toMatchObject(full);
  await expect(one.client.getPrompt({ name: one.greet, arguments: { name: "Ada" } })).rejects.toMatchObject(full);
  for (const { client, steps } of open)
    expect(await client.callTool({ name: steps, arguments: {} })).toMatchObject({ isError: true, _meta: { "remit/outcome": full.data } });
  await Promise.all(open.map(({ client }) => client.close()));
});

describe("[CTL-38][CTL-39] many upstreams at one address", () => {
  test("are told apart by name, and one that is away is named and empties no list", async () => {
    await using relay = await openRelay([httpUpstream("new", server.url), httpUpstream("away", "http://127.0.0.1:9/mcp")], {
      more: { pageSize: 2 },
    });
    const url = `${relay.url}/mcp`;
    const list = async (method: string, cursor?: unknown) =>
      (await postStateless(url, method, cursor === undefined ? {} : { cursor: cursor as string })).json.result as Record<
        string,
        unknown
      > & {
        resources: { uri: string }[];
        _meta: Record<string, unknown>;
      };
    const first = await list("resources/list");
    expect(first.resources.map(({ uri }) => uri)).toEqual(["remit://new/note://one", "remit://new/note://picture"]);
    expect(first._meta["remit/unavailable"]).toMatchObject([{ upstream: "away", reason: expect.stringContaining('"away"') as string }]);
    expect(first).toMatchObject({ cacheScope: "private", resultType: "complete" });
    const second = await list("resources/list", first["nextCursor"]);
    expect(second.resources.map(({ uri }) => uri)).toEqual(["remit://new/note://secret"]);
    expect(second).not.toHaveProperty("nextCursor");
    expect(await list("prompts/list")).toMatchObject({ prompts: [{ name: "new__greet" }] });
    expect(await list("resources/templates/list")).toMatchObject({ resourceTemplates: [{ uriTemplate: "remit://new/note://any/{id}" }] });

    const uri = "remit://new/note://any/7";
    const read = await postStateless(url, "resources/read", { uri }, { "mcp-name": uri });
    expect(read.json.result).toMatchObject({ contents: [{ uri, text: "note 7" }], cacheScope: "private" });
    const link = await postStateless(url, "tools/call", { name: "new__link", arguments: {} });
    expect(link.json.result["content"]).toMatchObject([
      { type: "resource_link", uri: "remit://new/note://one" },
      { type: "resource", resource: { uri: "remit://new/note://one" } },
    ]);
    const prompt = await postStateless(url, "prompts/get", { name: "new__greet", arguments: { name: "Ada" } });
    expect(prompt.json.result).toMatchObject({ messages: [{ content: { text: "Say hello to Ada" } }] });

    // Alone, it says for itself that it is away.
    const alone = await postStateless(`${relay.url}/mcp/away`, "resources/list");
    expect(alone).toMatchObject({ status: 200, json: { error: { code: -32005, message: expect.stringContaining('"away"') as string } } });
    const gone = await postStateless(url, "resources/read", { uri: "remit://away/x" }, { "mcp-name": "remit://away/x" });
    expect(gone.json.error).toMatchObject({ code: -32005, message: expect.stringContaining('"away"') as string });
  });
});

test("[CTL-18][CTL-26] a question that would wait for a person is refused to the upstream, and no request is left for anybody to grant", async () => {
  const policy = `${everythingGranted}
@id("ask.first") @approval("support-lead")
forbid (principal, action in [Remit::Action::"old__mcp.sampling.createMessage", Remit::Action::"new__mcp.sampling.createMessage"], resource)
unless { context.approvals.contains(Remit::Team::"support-lead") };`;
  await using relay = await openRelay([httpUpstream("old", sessions.url), httpUpstream("new", server.url)], { policy });
  for (const [era, upstream] of [
    ["legacy", "old"],
    ["modern", "new"],
  ] as const) {
    const person = helpful();
    const client = await connectClient(`${relay.url}/mcp/${upstream}`, era, person);
    const result = await client.callTool({ name: "think", arguments: {} });
    expect(result.isError).toBe(true);
    expect(firstText(result)).toContain("Refused by Remit");
    expect(person.asked).toEqual([]);
    await client.close();
  }
  const states = await relay.remit.database.query<{ state: string }>("SELECT state FROM approval");
  expect(states).toEqual([{ state: "cancelled" }, { state: "cancelled" }]);
  expect((await relay.remit.actions()).filter(({ state }) => state === "waiting")).toEqual([]);
});

test("[CTL-39] what cannot be bridged is an error that says so, and nothing is left running", async () => {
  await using relay = await openRelay([httpUpstream("new", server.url)]);
  // A client that shook no hands cannot be asked.
  const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "think", arguments: {} } };
  const { json } = await post(`${relay.url}/mcp/new`, call);
  expect(json.error).toMatchObject({ code: -32021, data: { requiredCapabilities: { sampling: {} } } });
  expect((await relay.remit.actions()).every(({ state }) => !["executing", "waiting"].includes(state))).toBe(true);
  // What it declares is mirrored and never widened.
  const plain = await connectClient(`${relay.url}/mcp/new`, "modern", { roots: () => ({ roots: [] }) });
  await expect(plain.callTool({ name: "think", arguments: {} })).rejects.toMatchObject({ code: -32021 });
  expect(firstText(await plain.callTool({ name: "where", arguments: {} }))).toBe("roots: 0");
  await plain.close();
});
