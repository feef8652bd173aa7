import type { JsonObject } from "@remit/contract";
import { expect, test } from "vitest";
import { openAskingServer } from "../upstream/fixtures/asking-server.ts";
import { postStateless } from "./gateway.testing.ts";
import { httpUpstream, openRelay } from "./relay.testing.ts";

const asks = { "io.modelcontextprotocol/clientCapabilities": { elicitation: {} } };
const callTwice = { name: "ask_twice", arguments: { greeting: "Hi" }, _meta: asks };

test("[CTL-39] a call that waits for its client is resumed by exactly its own retry, once, and ends when the server does", async () => {
  await using server = await openAskingServer("sessions");
  await using relay = await openRelay([httpUpstream("old", server.url)]);
  const url = `${relay.url}/mcp/old`;
  const first = (await postStateless(url, "tools/call", callTwice)).json.result;
  expect(first).toMatchObject({ resultType: "input_required" });
  const { requestState, inputRequests } = first as { requestState: string; inputRequests: Record<string, { method: string }> };
  const [name = ""] = Object.keys(inputRequests);
  expect(inputRequests[name]).toMatchObject({ method: "elicitation/create", params: { message: "Which name?" } });
  const inputResponses = { [name]: { action: "accept", content: { name: "Ada" } } };
  const retry = (params: JsonObject, headers: Record<string, string> = {}) =>
    postStateless(url, "tools/call", { ...callTwice, inputResponses, requestState, ...params }, headers);

  // Another principal's, another request's, a changed one.
  for (const refused of [
    await retry({}, { authorization: "Bearer other" }),
    await retry({ arguments: { greeting: "Bye" } }),
    await retry({ requestState: `${requestState.slice(0, 40)}${requestState[40] === "A" ? "B" : "A"}${requestState.slice(41)}` }),
    await retry({ requestState: "made up" }),
  ])
    expect(refused.json.error).toMatchObject({ code: -32602 });

  // What is not answered is asked again.
  const again = (await retry({ inputResponses: {} })).json.result as { requestState: string; inputRequests: object };
  expect(again.inputRequests).toEqual(inputRequests);
  // A retry of an earlier round is none.
  expect((await retry({})).json.error).toMatchObject({ code: -32602 });
  const second = (await retry({ requestState: again.requestState })).json.result as { requestState: string; inputRequests: object };
  expect(Object.values(second.inputRequests)).toMatchObject([{ params: { message: "Which town?" } }]);
  expect((await relay.remit.actions()).filter(({ tool }) => tool === "old__ask_twice")).toMatchObject([{ state: "executing" }]);
});

test("[CTL-39][CTL-21] calls that wait for their clients leave the upstream to others", async () => {
  await using server = await openAskingServer("sessions");
  await using relay = await openRelay([httpUpstream("old", server.url, { concurrency: 1 })]);
  const url = `${relay.url}/mcp/old`;
  for (let waiting = 0; waiting < 3; waiting += 1) {
    expect((await postStateless(url, "tools/call", callTwice)).json.result).toMatchObject({ resultType: "input_required" });
  }
  expect((await postStateless(url, "tools/call", { name: "link", arguments: {} })).json.result).toMatchObject({ resultType: "complete" });
});
