import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createOutbound } from "./outbound-fetch.ts";
import type { OutboundRequest } from "./outbound.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let port = 0;
let answer: Handler = () => undefined;
let seen: { url: string | undefined; headers: IncomingMessage["headers"] }[] = [];
const server = createServer((request, response) => {
  seen.push({ url: request.url, headers: request.headers });
  answer(request, response);
});

beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  ({ port } = server.address() as AddressInfo);
});
beforeEach(() => void (seen = []));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const json =
  (body: string | Buffer, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    response.writeHead(200, { "content-type": "application/json", ...headers }).end(body);

/** Names that stand for what a test says, and how often each was asked for. */
function names(table: Record<string, string[]>) {
  const asked: string[] = [];
  return {
    asked,
    lookup: async (name: string) => {
      asked.push(name);
      return (table[name] ?? []).map((address) => ({ address, family: address.includes(":") ? (6 as const) : (4 as const) }));
    },
  };
}

const loopback = { allow: ["127.0.0.0/8", "::1/128"] };
const dev = createOutbound(loopback);
const here = (path = "/doc"): string => `http://127.0.0.1:${port}${path}`;
const get = (url: string, more: Partial<OutboundRequest> = {}) => dev.fetch({ url, accept: ["application/json"], ...more });

describe("[CTL-22] where it goes", () => {
  const strict = createOutbound({ lookup: names({ "rebind.test": ["93.184.215.14", "127.0.0.1"], "in.test": ["10.0.0.1"] }).lookup });

  test.each([
    ["http://example.com/x", "address"],
    ["https://127.0.0.1/x", "address"],
    ["https://2130706433/x", "address"],
    ["https://0x7f.1/x", "address"],
    ["https://0177.0.0.1/x", "address"],
    ["https://127.1/x", "address"],
    ["https://[::1]/x", "address"],
    ["https://[::ffff:127.0.0.1]/x", "address"],
    ["https://[64:ff9b::7f00:1]/x", "address"],
    ["https://169.254.169.254/latest/meta-data/", "address"],
    ["https://in.test/x", "address"],
    ["https://rebind.test/x", "address"],
    ["https://nowhere.test/x", "unreachable"],
    ["http://8.8.8.8/x", "url"],
    ["https://user@example.com/", "url"],
    ["https://user:word@example.com/", "url"],
    ["https://example.com/#part", "url"],
    ["file:///etc/passwd", "url"],
    ["data:application/json,{}", "url"],
    ["ftp://example.com/", "url"],
    ["gopher://example.com/", "url"],
    ["//example.com/", "url"],
    ["not a url", "url"],
    ["", "url"],
  ])("%s: refused (%s)", async (url, refusal) => {
    const table = names({ "example.com": ["127.0.0.1"], "in.test": ["10.0.0.1"], "rebind.test": ["93.184.215.14", "127.0.0.1"] });
    const result = await createOutbound({ lookup: table.lookup }).fetch({ url, accept: ["application/json"] });
    expect(result).toMatchObject({ type: "refused", refusal });
  });

  test("what a name stands for inside is not told", async () => {
    const result = await strict.fetch({ url: "https://in.test/", accept: ["application/json"] });
    expect(result).toEqual({ type: "refused", refusal: "address", reason: "in.test is not a server on the Internet" });
  });

  test("a name is asked for once, and what was checked is what is connected to", async () => {
    answer = json('{"ok":true}');
    let asked = 0;
    const outbound = createOutbound({
      ...loopback,
      // The second answer would be the attack.
      lookup: async () => ((asked += 1) === 1 ? [{ address: "127.0.0.1", family: 4 }] : [{ address: "169.254.169.254", family: 4 }]),
    });
    const result = await outbound.fetch({ url: `http://rebind.test:${port}/doc`, accept: ["application/json"] });
    expect(result).toMatchObject({ type: "fetched", status: 200 });
    expect(asked).toBe(1);
    expect(seen[0]?.headers.host).toBe(`rebind.test:${port}`);
  });

  test("without TLS only to this machine, and only where that is allowed", async () => {
    answer = json("{}");
    const ranges = createOutbound({ allow: ["10.0.0.0/8"], lookup: names({ "in.test": ["10.0.0.1"] }).lookup });
    expect(await ranges.fetch({ url: "http://in.test/", accept: ["application/json"] })).toMatchObject({ refusal: "url" });
    expect(await createOutbound().fetch({ url: here(), accept: ["application/json"] })).toMatchObject({ refusal: "address" });
    expect(await get(here())).toMatchObject({ type: "fetched" });
    expect(seen).toHaveLength(1);
  });
});

describe("[CTL-22] redirects", () => {
  const to =
    (location: string, status = 302): Handler =>
    (request, response) =>
      request.url === "/start" ? response.writeHead(status, { location }).end() : json('{"at":"end"}')(request, response);

  test("are refused unless asked for", async () => {
    answer = to("/doc");
    expect(await get(here("/start"))).toMatchObject({ type: "refused", refusal: "redirect" });
    expect(await get(here("/start"), { maxRedirects: 1 })).toMatchObject({ type: "fetched", url: here("/doc") });
  });

  test.each([
    ["http://169.254.169.254/latest/meta-data/"],
    ["https://10.0.0.1/"],
    ["https://[::ffff:10.0.0.1]/"],
    ["http://10.1.1.1/"],
    ["https://user:word@example.com/"],
    ["file:///etc/passwd"],
    ["http://"],
  ])("to %s are refused", async (location) => {
    answer = to(location);
    expect(await get(here("/start"), { maxRedirects: 3 })).toMatchObject({ type: "refused", refusal: "redirect" });
    expect(seen).toHaveLength(1);
  });

  test("are bounded", async () => {
    answer = (_request, response) => response.writeHead(307, { location: "/again" }).end();
    expect(await get(here("/start"), { maxRedirects: 3 })).toMatchObject({ type: "refused", refusal: "redirect" });
    expect(seen).toHaveLength(4);
  });

  test("never carry a body on, and never what was meant for another server", async () => {
    answer = to("/doc", 307);
    const posted = await get(here("/start"), { method: "POST", body: "a=b", maxRedirects: 3 });
    expect(posted).toMatchObject({ type: "refused", refusal: "redirect" });
    seen = [];
    answer = to(`http://other.test:${port}/doc`);
    const outbound = createOutbound({ ...loopback, lookup: names({ "other.test": ["127.0.0.1"] }).lookup });
    const headers = { Authorization: "Bearer secret", "X-Key": "secret" };
    expect(await outbound.fetch({ url: here("/start"), accept: ["application/json"], headers, maxRedirects: 1 })).toMatchObject({
      status: 200,
    });
    expect(seen.map((request) => [request.headers.authorization, request.headers["x-key"]])).toEqual([
      ["Bearer secret", "secret"],
      [undefined, undefined],
    ]);
  });
});

describe("[CTL-22] what comes back", () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));

  test.each<[string, Handler, Partial<OutboundRequest>, string]>([
    ["a large body", json(Buffer.alloc(2_000)), { maxBytes: 1_000 }, "too-large"],
    [
      "a large body without a length",
      (_q, r) => void (r.writeHead(200, { "content-type": "application/json" }), r.write(Buffer.alloc(999)), r.end("xx")),
      { maxBytes: 1_000 },
      "too-large",
    ],
    ["a gzip bomb", json(bomb, { "content-encoding": "gzip" }), { maxBytes: 100_000 }, "too-large"],
    ["a brotli bomb", json(brotliCompressSync(Buffer.alloc(5_000_000)), { "content-encoding": "br" }), { maxBytes: 100_000 }, "too-large"],
    ["gzip in gzip", json(gzipSync(gzipSync("{}")), { "content-encoding": "gzip, gzip" }), {}, "encoding"],
    ["an unknown encoding", json("{}", { "content-encoding": "zstd" }), {}, "encoding"],
    ["an encoding named like a property of every object", json("{}", { "content-encoding": "constructor" }), {}, "encoding"],
    ["what is not the encoding that it says", json("{}", { "content-encoding": "gzip" }), {}, "encoding"],
    ["half of a gzip", json(gzipSync('{"a":"some text"}').subarray(0, 20), { "content-encoding": "gzip" }), {}, "encoding"],
    ["another type", json("<html>", { "content-type": "text/html" }), {}, "media-type"],
    ["no type", (_q, r) => void r.writeHead(200).end("{}"), {}, "media-type"],
    ["a type that only begins so", json("{}", { "content-type": "application/jsonx" }), {}, "media-type"],
    ["a server that breaks off", (q) => void q.socket.destroy(), {}, "unreachable"],
    ["no answer", () => undefined, { timeoutMs: 100 }, "timeout"],
    [
      "an answer that never ends",
      (_q, r) => void r.writeHead(200, { "content-type": "application/json" }).write("{"),
      { timeoutMs: 100 },
      "timeout",
    ],
    ["headers without end", (_q, r) => void r.writeHead(200, { "x-long": "a".repeat(40_000) }).end(), {}, "unreachable"],
  ])("%s is refused", async (_name, handler, more, refusal) => {
    answer = handler;
    expect(await get(here(), more)).toMatchObject({ type: "refused", refusal });
  });

  test("a name that is not resolved in time is not waited for", async () => {
    const outbound = createOutbound({ lookup: () => new Promise(() => undefined) });
    const result = await outbound.fetch({ url: "https://slow.test/", accept: ["application/json"], timeoutMs: 50 });
    expect(result).toMatchObject({ type: "refused", refusal: "timeout" });
  });

  test.each<[string, Handler]>([
    ["plain", json('{"a":1}')],
    ["gzip", json(gzipSync('{"a":1}'), { "content-encoding": "gzip" })],
    ["deflate", json(deflateSync('{"a":1}'), { "content-encoding": "deflate" })],
    ["br", json(brotliCompressSync('{"a":1}'), { "content-encoding": "BR" })],
    ["with parameters", json('{"a":1}', { "content-type": "Application/JSON; charset=utf-8" })],
  ])("a document as it should be is read: %s", async (_name, handler) => {
    answer = handler;
    const result = await get(here());
    expect(result).toMatchObject({ type: "fetched", status: 200, mediaType: "application/json", url: here() });
    if (result.type === "fetched") expect(result.body.toString()).toBe('{"a":1}');
  });

  test("a suffix takes every type that ends so; an error has its status, and its body where that is of a type that is taken", async () => {
    answer = json("{}", { "content-type": "application/problem+json" });
    expect(await get(here(), { accept: ["+json"] })).toMatchObject({ type: "fetched" });
    answer = (_request, response) => response.writeHead(404, { "content-type": "text/html" }).end("<h1>gone");
    expect(await get(here())).toMatchObject({ type: "fetched", status: 404, body: Buffer.alloc(0) });
    answer = (_request, response) => response.writeHead(400, { "content-type": "application/json" }).end('{"error":"x"}');
    expect(await get(here())).toMatchObject({ type: "fetched", status: 400, body: Buffer.from('{"error":"x"}') });
  });

  test("a caller who gives up gets that, and not a refusal", async () => {
    answer = () => undefined;
    const gone = new AbortController();
    const asked = get(here(), { signal: gone.signal });
    gone.abort(new Error("gone"));
    await expect(asked).rejects.toThrow("gone");
  });
});
