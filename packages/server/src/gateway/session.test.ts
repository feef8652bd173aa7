import type { JsonObject } from "@remit/contract";
import { buildRegistry } from "@remit/core/testing";
import { describe, expect, test } from "vitest";
import { until } from "../upstream/upstreams.testing.ts";
import type { GatewayRoutesDeps } from "./gateway.routes.ts";
import { actionId, openGateway, post, quietUpstreams, scriptedPath, testCaller } from "./gateway.testing.ts";

const registry = buildRegistry();
const question = { method: "elicitation/create", params: { message: "Which name?", requestedSchema: { type: "object", properties: {} } } };

/** A gateway whose one upstream asks in every call and answers with what it was told. */
async function start(more: Partial<GatewayRoutesDeps> = {}) {
  const ended: string[] = [];
  const { path } = scriptedPath(registry, async (attempt) => {
    if (attempt.perform !== undefined) {
      return { actionId, type: "succeeded", result: await attempt.perform(attempt.arguments as JsonObject, attempt.signal) };
    }
    const said = await attempt.relay?.ask(question, attempt.signal).catch((error: Error) => ({ refused: error.message }));
    return { actionId, type: "succeeded", result: { content: [{ type: "text", text: JSON.stringify(said) }] } };
  });
  const open = await openGateway(
    registry,
    { ...path, couldAct: () => true },
    {
      upstreams: { ...quietUpstreams, endLane: (lane) => void ended.push(lane) },
      callers: { verify: async (token) => ({ ...testCaller, agent: token === "good" ? testCaller.agent : token }) },
      ...more,
    },
  );
  const mcp = `${open.url}/mcp`;
  const shake = async (url = mcp, token = "good"): Promise<string> => {
    const params = { protocolVersion: "2025-11-25", capabilities: { elicitation: {} }, clientInfo: { name: "c", version: "1" } };
    const { headers } = await post(url, { jsonrpc: "2.0", id: 0, method: "initialize", params }, { authorization: `Bearer ${token}` });
    return headers.get("mcp-session-id") ?? "";
  };
  return { ...open, mcp, ended, shake, [Symbol.asyncDispose]: () => open[Symbol.asyncDispose]() };
}

const inSession = (session: string, token = "good") => ({ "mcp-session-id": session, authorization: `Bearer ${token}` });
const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
const toolCall = { jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "helpdesk__tickets.read", arguments: { id: "1" } } };

/** An open stream of a response, read message by message. */
function streamOf(response: Response) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async next(): Promise<{ id: string | null; message: Record<string, unknown> & { id?: unknown } }> {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end !== -1) {
          const lines = text.slice(0, end).split("\n");
          text = text.slice(end + 2);
          const data = lines.find((line) => line.startsWith("data: "));
          if (data === undefined) continue;
          const id = lines.find((line) => line.startsWith("id: "))?.slice(4) ?? null;
          return { id, message: JSON.parse(data.slice(6)) as Record<string, unknown> };
        }
        const chunk = await reader?.read();
        if (chunk === undefined || chunk.done) throw new Error("the stream has ended");
        text += chunk.value;
      }
    },
    cancel: () => reader?.cancel(),
  };
}

const request = (url: string, method: string, headers: Record<string, string>, body?: object) =>
  fetch(url, {
    method,
    headers: { accept: "application/json, text/event-stream", "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

describe("[CTL-05][CTL-39] a session", () => {
  test("is nobody's but the principal's that made it, and only at its own address", async () => {
    await using gateway = await start();
    const session = await gateway.shake();
    expect(session).toMatch(/^[\x21-\x7e]{36}$/);
    expect((await post(gateway.mcp, ping, inSession(session))).status).toBe(200);
    for (const headers of [inSession(session, "mallory"), inSession("made-up"), inSession("__proto__")]) {
      expect((await post(gateway.mcp, ping, headers)).status).toBe(404);
      expect((await request(gateway.mcp, "GET", headers)).status).toBe(404);
      expect((await request(gateway.mcp, "DELETE", headers)).status).toBe(404);
    }
    expect((await post(`${gateway.mcp}/helpdesk`, ping, inSession(session))).status).toBe(404);
    expect((await request(gateway.mcp, "DELETE", inSession(session))).status).toBe(204);
    expect((await post(gateway.mcp, ping, inSession(session))).status).toBe(404);
    expect(gateway.ended).toEqual([session]);
  });

  test("gives way to the principal's newer ones and to nobody else's, and a full server takes no more", async () => {
    await using gateway = await start({ sessionLimits: { total: 3, perPrincipal: 2, idleMs: 60_000, kept: 8 } });
    const first = await gateway.shake();
    const second = await gateway.shake();
    const others = await gateway.shake(gateway.mcp, "other");
    const third = await gateway.shake();
    expect((await post(gateway.mcp, ping, inSession(first))).status).toBe(404);
    for (const [session, token] of [
      [second, "good"],
      [third, "good"],
      [others, "other"],
    ] as const)
      expect((await post(gateway.mcp, ping, inSession(session, token))).status).toBe(200);
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const refused = await post(gateway.mcp, { jsonrpc: "2.0", id: 0, method: "initialize", params }, { authorization: "Bearer third" });
    expect(refused.status).toBe(429);
  });

  test("ends when it is idle", async () => {
    await using gateway = await start({ sessionLimits: { total: 9, perPrincipal: 9, idleMs: 40, kept: 8 } });
    const session = await gateway.shake();
    await until(() => gateway.ended.includes(session));
    expect((await post(gateway.mcp, ping, inSession(session))).status).toBe(404);
  });
});

describe("[CTL-39] what a client is asked", () => {
  test("is answered once, by its own session, and nothing else passes for an answer", async () => {
    await using gateway = await start();
    const session = await gateway.shake();
    const response = await request(gateway.mcp, "POST", inSession(session), toolCall);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const stream = streamOf(response);
    const asked = (await stream.next()).message;
    expect(asked).toMatchObject({ jsonrpc: "2.0", method: "elicitation/create", params: { message: "Which name?" } });
    const answer = { jsonrpc: "2.0", id: asked.id, result: { action: "accept", content: { name: "Ada" } } };
    const forged = { ...answer, result: { action: "accept", content: { name: "Eve" } } };
    const status = async (body: unknown, headers: Record<string, string>) => (await post(gateway.mcp, body, headers)).status;
    const others = await gateway.shake(gateway.mcp, "mallory");
    expect(await status(forged, inSession(session, "mallory"))).toBe(404);
    expect(await status(forged, inSession(others, "mallory"))).toBe(400);
    expect(await status(forged, { authorization: "Bearer good" })).toBe(400);
    expect(await status({ ...forged, id: "remit-2" }, inSession(session))).toBe(400);
    expect(await status({ ...forged, id: "constructor" }, inSession(session))).toBe(400);
    expect(await status({ ...forged, error: { code: 1, message: "x" } }, inSession(session))).toBe(400);
    expect(await status({ ...forged, method: "tools/call" }, inSession(session))).toBe(400);
    expect(await status([forged, toolCall], inSession(session))).toBe(400);
    expect(await status(`{"jsonrpc":"2.0","id":"remit-1","result":{},"result":{"action":"accept"}}`, inSession(session))).toBe(400);
    expect(await status(answer, inSession(session))).toBe(202);
    expect(await status(forged, inSession(session))).toBe(400);
    const { message } = await stream.next();
    expect(message).toMatchObject({ id: 5, result: { content: [{ text: '{"action":"accept","content":{"name":"Ada"}}' }] } });
  });

  test("goes over its own stream where the call's answer is none, and ends with the session", async () => {
    await using gateway = await start();
    const session = await gateway.shake();
    const own = streamOf(await request(gateway.mcp, "GET", inSession(session)));
    const calling = request(gateway.mcp, "POST", { ...inSession(session), accept: "application/json" }, toolCall);
    const { id, message } = await own.next();
    expect(message).toMatchObject({ method: "elicitation/create" });
    await own.cancel();
    // Whoever comes back says which event it saw last, and is given what it missed.
    const later = streamOf(await request(gateway.mcp, "GET", { ...inSession(session), "last-event-id": String(Number(id) - 1) }));
    expect((await later.next()).message).toEqual(message);
    await request(gateway.mcp, "DELETE", inSession(session));
    const { result } = (await (await calling).json()) as { result: { content: { text: string }[] } };
    expect(result.content[0]?.text).toContain("The session has ended");
    await expect(later.next()).rejects.toThrow();
  });

  test("is asked no more when its call is taken back", async () => {
    await using gateway = await start();
    const session = await gateway.shake();
    const stream = streamOf(await request(gateway.mcp, "POST", inSession(session), toolCall));
    const asked = (await stream.next()).message;
    const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5 } };
    expect((await post(gateway.mcp, cancelled, inSession(session))).status).toBe(202);
    expect((await stream.next()).message).toMatchObject({ method: "notifications/cancelled", params: { requestId: asked.id } });
    expect((await stream.next()).message).toMatchObject({ id: 5 });
    expect((await post(gateway.mcp, { jsonrpc: "2.0", id: asked.id, result: {} }, inSession(session))).status).toBe(400);
  });
});
