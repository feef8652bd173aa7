import { once } from "node:events";
import { connect } from "node:net";
import type { Id, Person, Problem } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { acceptForms } from "./forms.ts";
import { requireMachine, requirePerson } from "./doorkeeper.ts";
import { createTestApp, testDoorkeeper } from "./http-app.testing.ts";
import type { HttpAppOptions } from "./http-app.ts";

const olga: Person = { party: "olga", roles: ["operator"], sessionId: "ses_1" as Id<"session">, linkedBy: "service:machine" };

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

async function start(options: Partial<HttpAppOptions> = {}) {
  const doorkeeper = testDoorkeeper({ "olgas-session": olga });
  const app = await createTestApp({ doorkeeper, ...options });
  app.post(
    "/v1/echo",
    { schema: { body: z.strictObject({ name: z.string().max(5), tags: z.array(z.int()).default([]) }) } },
    async (request) => request.body,
  );
  app.post("/v1/large", { bodyLimit: 3_000_000 }, async () => ({ ok: true }));
  app.get("/v1/fails/:how", async (request) => {
    const { how } = request.params as { how: string };
    if (how === "known") throw new RemitError("policy-stop", "No refunds on Sundays");
    throw new Error("password of the database is hunter2");
  });
  app.get("/v1/leaks", { schema: { response: { 200: z.object({ name: z.string() }) } } }, async () => ({ name: "n", hash: "secret" }));
  app.get("/v1/operators", async (request) => requirePerson(request, { role: ["operator"] }));
  app.post("/v1/operators", async (request) => requirePerson(request, { role: ["operator"] }));
  app.get("/v1/auditors", async (request) => requirePerson(request, { role: ["auditor"] }));
  app.post("/v1/machine", async (request) => {
    requireMachine(request);
    return { ok: true };
  });
  await app.register(async (scope) => {
    acceptForms(scope);
    scope.post("/form", async (request) => ({ person: (await requirePerson(request)).party, body: request.body }));
  });
  open.push(app);
  return { app, doorkeeper };
}

const json = { "content-type": "application/json" };

describe("what is refused looks the same everywhere", () => {
  test.each([
    ["a body against its schema", { name: "too long", tags: [1, "2"], extra: 1 }, ["/name", "/tags/1", "/extra"]],
    ["a missing member", {}, ["/name"]],
  ])("%s names what is wrong by JSON pointer", async (_name, payload, pointers) => {
    const { app } = await start();
    const response = await app.inject({ method: "POST", url: "/v1/echo", payload });
    expect(response.statusCode).toBe(400);
    expect(response.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    const problem = response.json<Problem>();
    expect(problem).toMatchObject({ code: "invalid-request", status: 400, detail: "The body is not as expected" });
    expect(new Set(problem.issues.map((issue) => issue.pointer))).toEqual(new Set(pointers));
    expect(problem.requestId).toBe(response.headers["x-request-id"]);
  });

  test.each([
    ["malformed JSON", '{"name":', 400, "invalid-request"],
    ["a duplicate member", '{"name":"a","name":"b"}', 400, "invalid-request"],
    ["a prototype member", '{"name":"a","__proto__":{}}', 400, "invalid-request"],
    ["deep nesting", "[".repeat(5000) + "]".repeat(5000), 400, "invalid-request"],
    ["invalid UTF-8", Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d]), 400, "invalid-request"],
    ["more than 1 MB", JSON.stringify({ name: "x".repeat(1_100_000) }), 413, "too-large"],
    ["no body", "", 400, "invalid-request"],
  ])("%s", async (_name, payload, status, code) => {
    const { app } = await start();
    const response = await app.inject({ method: "POST", url: "/v1/echo", payload, headers: json });
    expect([response.statusCode, response.json<Problem>().code]).toEqual([status, code]);
  });

  test("10 MB are refused, and a route may take more than the default", async () => {
    const { app } = await start();
    const send = (size: number) =>
      app.inject({ method: "POST", url: "/v1/large", payload: JSON.stringify("x".repeat(size)), headers: json });
    expect((await send(2_000_000)).statusCode).toBe(200);
    expect((await send(10_000_000)).statusCode).toBe(413);
  });

  test.each([
    ["POST", "/v1/echo", "text/plain", 415, "unsupported-media-type"],
    ["POST", "/v1/echo", "application/x-www-form-urlencoded", 415, "unsupported-media-type"],
    ["GET", "/nothing/here", null, 404, "not-found"],
    ["DELETE", "/v1/echo", null, 405, "method-not-allowed"],
    ["GET", "/v1/fails/known", null, 403, "policy-stop"],
    ["GET", `/v1/fails/${"x".repeat(600)}`, null, 400, "invalid-request"],
    ["GET", "/v1/fails/%ff", null, 400, "invalid-request"],
  ] as const)("%s %s as %s is %i %s", async (method, url, type, status, code) => {
    const { app } = await start();
    const response = await app.inject({ method, url, ...(type ? { payload: "name=a", headers: { "content-type": type } } : {}) });
    expect([response.statusCode, response.json<Problem>().code]).toEqual([status, code]);
    if (status === 405) expect(response.headers["allow"]).toBe("POST");
  });

  test("an unexpected error says nothing of the inside, and the log has it", async () => {
    const { app } = await start();
    const response = await app.inject({ url: "/v1/fails/unknown" });
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain("hunter2");
    expect(app.logged.join("")).toContain(response.json<Problem>().requestId);
  });

  test("what the schema of an answer does not name does not leave", async () => {
    const { app } = await start();
    expect((await app.inject({ url: "/v1/leaks" })).json()).toEqual({ name: "n" });
  });
});

describe("who is at the door", () => {
  test.each([
    ["evil.example", undefined, 403],
    ["localhost:1234", undefined, 200],
    ["127.0.0.1", undefined, 200],
    ["[::1]:80", undefined, 200],
    ["localhost.evil.example", undefined, 403],
    ["localhost@evil.example", undefined, 403],
    ["localhost:4680", "http://localhost:4680", 200],
    ["localhost:4680", "http://localhost:3000", 403],
    ["localhost:4680", "https://evil.example", 403],
    ["localhost:4680", "null", 403],
  ])("Host %s with Origin %s is %i", async (host, origin, status) => {
    const { app } = await start();
    const response = await app.inject({ url: "/openapi.json", headers: { host, ...(origin ? { origin } : {}) } });
    expect(response.statusCode).toBe(status);
  });

  test("a page of another site may link here but change nothing", async () => {
    const { app } = await start();
    const from = (method: "GET" | "POST", site: string) =>
      app.inject({ method, url: "/v1/operators", headers: { authorization: "Bearer olgas-session", "sec-fetch-site": site } });
    expect((await from("GET", "cross-site")).statusCode).toBe(200);
    expect((await from("POST", "cross-site")).statusCode).toBe(403);
    expect((await from("POST", "same-site")).statusCode).toBe(403);
    expect((await from("POST", "same-origin")).statusCode).toBe(200);
  });

  test.each([
    ["/v1/operators", {}, 401],
    ["/v1/operators", { authorization: "Bearer other" }, 401],
    ["/v1/operators", { authorization: "Basic b2xnYTp4" }, 401],
    ["/v1/operators", { authorization: "Machine machine-key" }, 401],
    ["/v1/operators", { authorization: "Bearer olgas-session" }, 200],
    ["/v1/operators", { cookie: "remit_session=olgas-session" }, 200],
    ["/v1/auditors", { authorization: "Bearer olgas-session" }, 403],
  ])("[CTL-24] %s with %o is %i", async (url, headers, status) => {
    const { app, doorkeeper } = await start();
    expect((await app.inject({ url, headers })).statusCode).toBe(status);
    expect(doorkeeper.refusals).toHaveLength(status === 200 ? 0 : 1);
  });

  test("only the machine key opens what is the machine's", async () => {
    const { app } = await start();
    const post = (authorization: string) => app.inject({ method: "POST", url: "/v1/machine", headers: { authorization } });
    expect((await post("Machine machine-key")).statusCode).toBe(200);
    expect((await post("Machine other")).statusCode).toBe(401);
    expect((await post("Bearer olgas-session")).statusCode).toBe(401);
  });

  test("a cookie alone changes nothing: a form has to bring the token of its session", async () => {
    const { app } = await start();
    const post = (payload: string) =>
      app.inject({
        method: "POST",
        url: "/form",
        payload,
        headers: { cookie: "remit_session=olgas-session", "content-type": "application/x-www-form-urlencoded" },
      });
    expect((await post("a=1")).statusCode).toBe(403);
    expect((await post("a=1&csrf=guessed")).statusCode).toBe(403);
    expect((await post("a=1&csrf=csrf-of-olgas-session")).json()).toMatchObject({ person: "olga" });
    expect((await post("a=1&a=2&csrf=csrf-of-olgas-session")).statusCode).toBe(400);
  });
});

describe("operations", () => {
  test("[OBS-09] readiness says which part is not ready, and nothing of the inside", async () => {
    const { app } = await start();
    expect((await app.inject({ url: "/livez", headers: { host: "10.0.0.7" } })).json()).toEqual({ status: "live" });
    app.readiness.add("database", () => undefined);
    expect((await app.inject({ url: "/readyz" })).statusCode).toBe(200);
    app.readiness.add("registry", () => {
      throw new Error("host db.internal");
    });
    const response = await app.inject({ url: "/readyz" });
    expect([response.statusCode, response.json()]).toEqual([
      503,
      { status: "not-ready", checks: { database: "ok", registry: "failed" }, details: {} },
    ]);
  });

  test("describes itself as OpenAPI 3.1", async () => {
    const { app } = await start();
    const document = (await app.inject({ url: "/openapi.json" })).json<{ openapi: string; paths: Record<string, unknown> }>();
    expect(document.openapi).toBe("3.1.0");
    expect(document.paths["/v1/echo"]).toMatchObject({ post: { requestBody: {} } });
  });

  test("every answer carries the headers that keep browsers from doing harm with it", async () => {
    const { app } = await start({ publicUrl: new URL("https://remit.example") });
    const { headers } = await app.inject({ url: "/nothing", headers: { host: "remit.example" } });
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
      "referrer-policy": "same-origin",
      "strict-transport-security": "max-age=31536000",
      "cache-control": "no-store",
    });
  });
});

describe("over a socket", () => {
  async function raw(text: string, options: Partial<HttpAppOptions> = {}): Promise<string> {
    const { app } = await start(options);
    await app.listen({ host: "127.0.0.1", port: 0 });
    const address = app.server.address();
    if (address === null || typeof address === "string") throw new Error("no address");
    const socket = connect(address.port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.write(text);
    await once(socket, "close");
    return answer;
  }
  const slow = { arrival: { headersMs: 200, requestMs: 300 } };

  test("headers that never end are cut off", async () => {
    expect(await raw("GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ", slow)).toContain("408 Request Timeout");
  });

  test("a body that never ends is cut off", async () => {
    const answer = await raw(
      'POST /v1/echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"na',
      slow,
    );
    expect(answer).toContain("408 Request Timeout");
  });

  test("[SAF-21] an end waits for answers that are under way, and for no connection without one", async () => {
    const { app } = await start();
    const answers = new Map<string, () => void>();
    app.get<{ Params: { name: string } }>("/v1/held/:name", async ({ params }) => {
      await new Promise<void>((end) => void answers.set(params.name, end));
      return params.name;
    });
    await app.listen({ host: "127.0.0.1", port: 0 });
    const address = app.server.address();
    if (address === null || typeof address === "string") throw new Error("no address");
    const open = (asked: string) => {
      const socket = connect(address.port, "127.0.0.1");
      const closed = once(socket, "close");
      const heard = { text: "" };
      socket.on("data", (chunk) => (heard.text += chunk.toString()));
      socket.write(asked);
      return { heard, closed };
    };
    const ask = (name: string) => open(`GET /v1/held/${name} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    const [silent, first, last] = [open(""), ask("first"), ask("last")];
    await expect.poll(() => answers.size).toBe(2);
    const ended = app.close();
    await silent.closed;
    answers.get("first")?.();
    await first.closed;
    expect(first.heard.text).toMatch(/^HTTP\/1.1 200 [^]*first$/);
    answers.get("last")?.();
    await ended;
    await last.closed;
    expect(last.heard.text).toMatch(/^HTTP\/1.1 200 [^]*last$/);
  });

  test("an answer may take longer than a request may: it is a stream", async () => {
    const { app } = await start(slow);
    app.get("/v1/stream", async (_request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { "content-type": "text/event-stream" });
      reply.raw.write("data: first\n\n");
      setTimeout(() => reply.raw.end("data: last\n\n"), 900);
    });
    await app.listen({ host: "127.0.0.1", port: 0 });
    const address = app.server.address();
    if (address === null || typeof address === "string") throw new Error("no address");
    const response = await fetch(`http://127.0.0.1:${address.port}/v1/stream`);
    expect(await response.text()).toBe("data: first\n\ndata: last\n\n");
  });

  test.each([
    ["headers without end", `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, "431"],
    ["two lengths", "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx", "400"],
    ["length and chunks", "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "400"],
    ["a header with a bare newline", "GET / HTTP/1.1\r\nhost: localhost\r\nx: a\n b: c\r\n\r\n", "400"],
    ["a control character in a header", "GET / HTTP/1.1\r\nhost: localhost\r\nx: a\u0000b\r\n\r\n", "400"],
    ["no HTTP at all", "hello\r\n\r\n", "400"],
  ])("%s is refused as a problem", async (_name, text, status) => {
    const answer = await raw(text);
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain("application/problem+json");
  });
});
