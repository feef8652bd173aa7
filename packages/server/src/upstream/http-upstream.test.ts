import type { ServerResponse } from "node:http";
import type { UpstreamSpec } from "@remit/contract";
import { upstreamSpecSchema } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { openRawHttp, openSessionHttp, openStatelessHttp } from "./fixtures/http-servers.ts";
import { callOf, firstText, openFleet, until } from "./upstreams.testing.ts";

const httpSpec = (url: string): UpstreamSpec =>
  upstreamSpecSchema.parse({ kind: "upstream", name: "up", owner: "ada", transport: { type: "http", url } });

const json = (response: ServerResponse, status: number, body: object, headers = {}) =>
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify({ jsonrpc: "2.0", ...body }));

describe("[CTL-39] calls over Streamable HTTP", () => {
  test("a stateless upstream is called in its revision, with the headers that it wants", async () => {
    await using server = await openStatelessHttp();
    await using fleet = openFleet([httpSpec(server.url)]);
    await fleet.nextOffer("up");
    expect(firstText(await fleet.call(callOf("up", "echo", { text: "grüezi" })))).toBe("grüezi");
    const sent = server.seen.at(-1);
    expect(sent).toMatchObject({ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo" });
    expect(sent?.["mcp-param-text"]).toBe(`=?base64?${Buffer.from("grüezi").toString("base64")}?=`);
    expect(server.seen.every((headers) => headers.authorization === undefined)).toBe(true);
  });

  test("[OBS-01] an upstream is told the trace in a header as well, for what is between", async () => {
    await using server = await openStatelessHttp();
    await using fleet = openFleet([httpSpec(server.url)]);
    await fleet.nextOffer("up");
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await fleet.call({ ...callOf("up", "echo", { text: "one" }), traceparent });
    expect(server.seen.at(-1)).toMatchObject({ traceparent, "mcp-param-text": "one" });
    await fleet.call(callOf("up", "echo", { text: "two" }));
    expect(server.seen.at(-1)?.["traceparent"]).toBeUndefined();
  });

  test("an upstream with sessions is shaken hands with, and a forgotten session is made anew", async () => {
    await using server = await openSessionHttp();
    await using fleet = openFleet([httpSpec(server.url)]);
    expect((await fleet.offered("up")).map((tool) => tool.name)).toEqual(["echo"]);
    expect(firstText(await fleet.call(callOf("up", "echo", { text: "one" })))).toBe("one");
    server.forget();
    expect(firstText(await fleet.call(callOf("up", "echo", { text: "two" })))).toBe("two");
    expect(fleet.health()[0]).toMatchObject({ state: "ready", restarts: 1 });
    expect(server.sessions()).toBe(1);
  });

  test("aborting a call cancels it at the upstream", async () => {
    await using server = await openStatelessHttp();
    await using fleet = openFleet([httpSpec(server.url)]);
    await fleet.offered("up");
    const aborting = new AbortController();
    const sent = server.seen.length;
    const call = fleet.call(callOf("up", "slow", {}, aborting.signal));
    await until(() => server.seen.length > sent);
    aborting.abort();
    await expect(call).rejects.toMatchObject({ code: "cancelled" });
    await until(() => server.cancelled.length === 1);
  });

  test("one that is not there is unavailable; when it comes, it is connected", async () => {
    const server = await openStatelessHttp();
    const { port } = new URL(server.url);
    await server[Symbol.asyncDispose]();
    await using fleet = openFleet([httpSpec(server.url)]);
    await expect(fleet.call(callOf("up", "echo", { text: "x" }))).rejects.toMatchObject({ code: "upstream-unavailable" });
    const offer = fleet.nextOffer("up");
    await using again = await openStatelessHttp(Number(port));
    expect(again.url).toBe(server.url);
    await offer;
    expect(firstText(await fleet.call(callOf("up", "echo", { text: "here" })))).toBe("here");
  });

  test("one that is down is not waited for when somebody asks what it offers", async () => {
    const server = await openStatelessHttp();
    const { port } = new URL(server.url);
    await server[Symbol.asyncDispose]();
    await using fleet = openFleet([httpSpec(server.url)]);
    for (let attempt = 0; attempt < 8; attempt += 1)
      await expect(fleet.offered("up")).rejects.toMatchObject({ code: "upstream-unavailable" });
    await using again = await openStatelessHttp(Number(port));
    expect(again.url).toBe(server.url);
    expect((await fleet.offered("up")).map((tool) => tool.name)).toContain("echo");
  });

  test("one that goes away after it was connected: nothing was sent, and it is connected again", async () => {
    const server = await openStatelessHttp();
    const { port } = new URL(server.url);
    await using fleet = openFleet([httpSpec(server.url)]);
    await fleet.nextOffer("up");
    await server[Symbol.asyncDispose]();
    await expect(fleet.call(callOf("up", "echo", { text: "x" }))).rejects.toMatchObject({
      code: expect.stringMatching(/upstream-unavailable|outcome-unknown/) as string,
    });
    // A connection that broke under a call is no proof that the server is gone; the next call finds that nobody listens.
    const offer = fleet.nextOffer("up");
    await fleet.call(callOf("up", "echo", { text: "x" })).catch(() => undefined);
    await using again = await openStatelessHttp(Number(port));
    await offer;
    expect(again.seen.length).toBeGreaterThan(0);
    expect(firstText(await fleet.call(callOf("up", "echo", { text: "back" })))).toBe("back");
  });
});

describe("[CTL-21] HTTP upstreams that misbehave", () => {
  test.each<[string, (id: number, response: ServerResponse) => void, string, string]>([
    ["redirects", (_id, response) => response.writeHead(307, { location: "http://127.0.0.1:1/mcp" }).end(), "upstream-error", "redirect"],
    ["wants a token", (_id, response) => response.writeHead(401).end(), "upstream-error", "HTTP 401"],
    ["fails", (_id, response) => response.writeHead(500, { "content-type": "text/html" }).end("<h1>no</h1>"), "upstream-error", "HTTP 500"],
    [
      "answers another request",
      (id, response) => json(response, 200, { id: id + 1, result: { content: [] } }),
      "upstream-error",
      "without an answer",
    ],
    [
      "refuses in JSON-RPC",
      (id, response) => json(response, 400, { id, error: { code: -32602, message: "bad" } }),
      "upstream-error",
      "-32602: bad",
    ],
    ["breaks the connection", (_id, response) => response.destroy(), "outcome-unknown", "not known"],
    [
      "ends its stream without an answer",
      (_id, response) => response.writeHead(200, { "content-type": "text/event-stream" }).end(": nothing\n\n"),
      "outcome-unknown",
      "without an answer",
    ],
    [
      "answers without an end",
      (_id, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(1_000_000)));
          response.once("drain", more);
        };
        more();
      },
      "upstream-error",
      "more than 10 MB",
    ],
  ])("one that %s", async (_name, onCall, code, words) => {
    await using server = await openRawHttp(onCall);
    await using fleet = openFleet([httpSpec(server.url)]);
    await expect(fleet.call(callOf("up", "call"))).rejects.toMatchObject({ code, message: expect.stringContaining(words) as string });
  });

  describe("a stream that ends before the answer is taken up again where it ended, when the upstream says", () => {
    const stream = (response: ServerResponse, text: string) => response.writeHead(200, { "content-type": "text/event-stream" }).end(text);
    const cursors: (string | string[] | undefined)[] = [];
    let called = 0;
    const resumable = (onResume: (cursor: string, response: ServerResponse) => void) =>
      openRawHttp(
        (id, response) => {
          called = id;
          stream(response, "id: one\nretry: 120\ndata: \n\n");
        },
        ({ headers }, response) => {
          const cursor = headers["last-event-id"];
          if (typeof cursor !== "string") return response.writeHead(405).end();
          cursors.push(cursor);
          return onResume(cursor, response);
        },
      );
    const answer = () => JSON.stringify({ jsonrpc: "2.0", id: called, result: { content: [{ type: "text", text: "late" }] } });

    test("no longer than the call may take", async () => {
      cursors.length = 0;
      await using server = await resumable((_cursor, response) => stream(response, "retry: 10\n\n"));
      await using fleet = openFleet([httpSpec(server.url)]);
      await fleet.offered("up");
      await expect(fleet.call({ ...callOf("up", "call"), timeoutMs: 2_500 })).rejects.toMatchObject({ code: "upstream-timeout" });
      expect(new Set(cursors)).toEqual(new Set(["one"]));
      expect(cursors.length).toBeLessThan(26);
    });

    test("until the answer comes", async () => {
      cursors.length = 0;
      await using server = await resumable((cursor, response) =>
        stream(response, cursor === "one" ? "id: two\ndata: \n\n" : `data: ${answer()}\n\n`),
      );
      await using fleet = openFleet([httpSpec(server.url)]);
      expect(firstText(await fleet.call(callOf("up", "call")))).toBe("late");
      expect(cursors).toEqual(["one", "two"]);
    });

    test("and what was done is not known where it cannot", async () => {
      await using server = await resumable((_cursor, response) => response.writeHead(404).end());
      await using fleet = openFleet([httpSpec(server.url)]);
      await expect(fleet.call(callOf("up", "call"))).rejects.toMatchObject({ code: "outcome-unknown" });
    });
  });

  test("a stream with noise before the answer, in pieces, is read", async () => {
    await using server = await openRawHttp((id, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 1, progress: 1 } };
      const question = { jsonrpc: "2.0", id: "q", method: "sampling/createMessage", params: {} };
      const answer = JSON.stringify({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text: "ünder" }] } });
      const stream = Buffer.from(
        `: hi\n\nevent: message\ndata: ${JSON.stringify(progress)}\r\n\r\ndata: ${JSON.stringify(question)}\n\nid: 5\ndata: ${answer}\n\n`,
      );
      const cut = stream.indexOf(0xc3) + 1;
      response.write(stream.subarray(0, cut));
      setTimeout(() => response.end(stream.subarray(cut)), 20);
    });
    await using fleet = openFleet([httpSpec(server.url)]);
    expect(firstText(await fleet.call(callOf("up", "call")))).toBe("ünder");
  });
});

describe("[CTL-39][CTL-21] an upstream that streams as it should not", () => {
  const stream = (response: ServerResponse): ((message: object) => void) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    return (message) => void response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
  };
  const done = (said: string) => ({ content: [{ type: "text", text: said }] });

  test("is heard once: other ids, and a second answer, are nothing", async () => {
    await using server = await openRawHttp((id, response) => {
      const say = stream(response);
      say({ id: id + 1, result: done("somebody else's") });
      say({ id: String(id), result: done("another id") });
      say({ id: "x", method: "tools/call", params: { name: "call" } });
      say({ id, result: done("the answer") });
      say({ id, result: done("again") });
      response.end();
    });
    await using fleet = openFleet([httpSpec(server.url)]);
    expect(firstText(await fleet.call(callOf("up", "call")))).toBe("the answer");
    expect(firstText(await fleet.call(callOf("up", "call")))).toBe("the answer");
  });

  test("may stream for long, but no message may be endless", async () => {
    await using server = await openRawHttp((id, response) => {
      const say = stream(response);
      for (let index = 0; index < 3; index += 1) say({ method: "notifications/message", params: { data: "x".repeat(4 * 1024 * 1024) } });
      say({ id, result: done("after 12 MB") });
      response.end();
    });
    await using fleet = openFleet([httpSpec(server.url)]);
    expect(firstText(await fleet.call(callOf("up", "call")))).toBe("after 12 MB");
    await using endless = await openRawHttp((_id, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const more = setInterval(() => response.write(`data: ${"x".repeat(1024 * 1024)}\n`), 1);
      response.once("close", () => clearInterval(more));
    });
    await using other = openFleet([httpSpec(endless.url)]);
    await expect(other.call(callOf("up", "call"))).rejects.toMatchObject({
      code: "upstream-error",
      message: expect.stringContaining("10 MB") as string,
    });
  });
});
