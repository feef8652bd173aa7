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
  const primed: (string | null)[] = [];
  return {
    /** Ids of events without data. */
    primed,
    async next(): Promise<{ id: string | null; message: Record<string, unknown> & { id?: unknown } }> {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end !== -1) {
          const lines = text.slice(0, end).split("\n");
          text = text.slice(end + 2);
          const data = lines.find((line) => line.startsWith("data: "));
          const id = lines.find((line) => line.startsWith("id: "))?.slice(4) ?? null;
          if (data === "data: ") primed.push(id);
          if (data === undefined || data === "data: ") continue;
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

describe("[CTL-39] a client whose connection breaks", () => {
  const answerTo = (asked: { id?: unknown }) => ({ jsonrpc: "2.0", id: asked.id, result: { action: "accept", content: { name: "Ada" } } });
  const resume = (url: string, session: string, after: string | null, token = "good") =>
    request(url, "GET", { ...inSession(session, token), "last-event-id": after ?? "" });

  test("comes back for what it has missed, with the id of what it saw last; its call has gone on", async () => {
    await using gateway = await start();
    const session = await gateway.shake();
    const broken = streamOf(await request(gateway.mcp, "POST", inSession(session), toolCall));
    const { id, message: asked } = await broken.next();
    // The first event says only where to come back to.
    expect(broken.primed).toEqual(["s1-0"]);
    await broken.cancel();
    expect((await post(gateway.mcp, answerTo(asked), inSession(session))).status).toBe(202);
    const rest = streamOf(await resume(gateway.mcp, session, id));
    const { message, id: last } = await rest.next();
    expect(message).toMatchObject({ id: 5, result: { content: [{ text: '{"action":"accept","content":{"name":"Ada"}}' }] } });
    expect(last).toBe("s1-2");
    await expect(rest.next()).rejects.toThrow();
  });

  test("is given what it missed from the beginning, and what comes after it came back", async () => {
    await using gateway = await start();
    const session = await gateway.shake();
    const broken = streamOf(await request(gateway.mcp, "POST", inSession(session), toolCall));
    await broken.next();
    await broken.cancel();
    const back = streamOf(await resume(gateway.mcp, session, broken.primed[0] ?? null));
    const { message: asked } = await back.next();
    expect(asked).toMatchObject({ method: "elicitation/create" });
    await post(gateway.mcp, answerTo(asked), inSession(session));
    expect((await back.next()).message).toMatchObject({ id: 5, result: { content: [{ text: expect.stringContaining("Ada") as string }] } });
  });

  test("gets nothing of another's, nothing that it has seen, and nothing by an id that was never given", async () => {
    await using gateway = await start();
    const session = await gateway.shake();
    const others = await gateway.shake(gateway.mcp, "mallory");
    const broken = streamOf(await request(gateway.mcp, "POST", inSession(session), toolCall));
    const { id, message: asked } = await broken.next();
    await broken.cancel();
    expect((await resume(gateway.mcp, session, id, "mallory")).status).toBe(404);
    await post(gateway.mcp, answerTo(asked), inSession(session));
    // Each of these is a stream of its own session, on which nothing of the call comes.
    for (const [of, token, after] of [
      [others, "mallory", id],
      [session, "good", "s1-99"],
      [session, "good", "s9-0"],
    ] as const) {
      const stray = await resume(gateway.mcp, of, after, token);
      expect(stray.status).toBe(200);
      const cancelled = new Promise((resolve) => setTimeout(resolve, 100, "nothing"));
      expect(await Promise.race([streamOf(stray).next(), cancelled])).toBe("nothing");
      await stray.body?.cancel().catch(() => undefined);
    }
    const back = streamOf(await resume(gateway.mcp, session, id));
    const { id: last, message } = await back.next();
    expect(message).toMatchObject({ id: 5 });
    const whole = streamOf(await resume(gateway.mcp, session, last));
    await expect(whole.next()).rejects.toThrow("the stream has ended");
  });

  test("may still take its call back by saying so", async () => {
    await using gateway = await start();
    const session = await gateway.shake();
    const broken = streamOf(await request(gateway.mcp, "POST", inSession(session), toolCall));
    const { id } = await broken.next();
    await broken.cancel();
    await post(gateway.mcp, { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5 } }, inSession(session));
    const back = streamOf(await resume(gateway.mcp, session, id));
    expect((await back.next()).message).toMatchObject({ method: "notifications/cancelled" });
    expect((await back.next()).message).toMatchObject({
      id: 5,
      result: { content: [{ text: expect.stringContaining("refused") as string }] },
    });
  });
});
