import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { JsonObject } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { createNormaliser } from "../action/normalise.ts";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { callOf, firstText, openFleet } from "../upstream/upstreams.testing.ts";
import { apiSpec, fixturesDir, openApiServer } from "./openapi.testing.ts";

async function openCrm() {
  const api = await openApiServer();
  const fleet = openFleet([apiSpec("crm", "crm.yaml", `${api.url}/v1`)], { rootDir: fixturesDir });
  await fleet.nextOffer("crm");
  const call = (tool: string, args: JsonObject) => fleet.call(callOf("crm", tool, args));
  return {
    api,
    fleet,
    call,
    async [Symbol.asyncDispose]() {
      await fleet[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

describe("an API as an upstream", () => {
  test("[CTL-18][CTL-38][CTL-41] offers its operations as tools, without references, and leaves out what it cannot offer", async () => {
    await using crm = await openCrm();
    const tools = new Map((await crm.fleet.offered("crm")).map((tool) => [tool.name, tool]));
    expect([...tools.keys()].sort()).toEqual(["addPhoto", "changeCustomer", "get_photos", "getCustomer", "logIn", "search", "tree"].sort());
    expect(tools.get("getCustomer")?.inputSchema).toEqual({
      type: "object",
      properties: {
        id: { type: "string" },
        fields: { type: "array", items: { type: "string" } },
        "X-Trace": { type: "string" },
        theme: { type: "string" },
      },
      required: ["id"],
      additionalProperties: false,
      $comment: expect.stringMatching(/^GET http:\/\/127\.0\.0\.1:\d+\/v1\/customers\/\{id\}, request [0-9a-f]{16}$/),
    });
    // Read-only is not sent, write-only does not come back; two objects that are one stand as one.
    expect(tools.get("changeCustomer")?.inputSchema["properties"]).toMatchObject({
      body: {
        type: "object",
        properties: { name: { type: "string" }, note: { type: ["string", "null"] }, secret: { type: "string" } },
        required: ["name"],
      },
    });
    expect(tools.get("getCustomer")?.outputSchema).toEqual({
      type: "object",
      properties: { id: { type: "string" }, name: { type: "string" }, note: { type: ["string", "null"] } },
      required: ["id", "name"],
    });
    expect(tools.get("search")?.outputSchema).toMatchObject({ properties: { result: { type: "array" } } });
    expect(tools.get("tree")?.outputSchema).toMatchObject({ type: "object", $ref: "#/$defs/Node", $defs: { Node: { type: "object" } } });
    expect(crm.fleet.log.some((line) => JSON.stringify(line).includes("only references within the document are followed"))).toBe(true);
  });

  test("sends each argument where it belongs, and nothing else", async () => {
    await using crm = await openCrm();
    const result = await crm.call("getCustomer", { id: "7 ü", fields: ["a", "b,c"], "X-Trace": "t1", theme: "dark; admin=1" });
    expect(crm.api.seen[0]).toMatchObject({
      method: "GET",
      url: "/v1/customers/7%20%C3%BC?fields=a,b%2Cc",
      headers: { "x-trace": "t1", cookie: "theme=dark%3B%20admin%3D1" },
    });
    expect(crm.api.seen[0]?.headers).not.toHaveProperty("authorization");
    expect(result.structuredContent).toEqual({ id: "7", name: "Ada" });

    crm.api.answer((_request, response) => response.writeHead(200, { "content-type": "application/json" }).end('["x"]'));
    expect((await crm.call("search", { filter: { name: "A&b", age: 3 } })).structuredContent).toEqual({ result: ["x"] });
    await crm.call("changeCustomer", { id: "7", body: { name: "Ada" } });
    await crm.call("logIn", { body: { user: "a&b=c", tags: ["x", "y"] } });
    await crm.call("addPhoto", { body: { title: 'a"\r\nx: y', photo: "aGk=" } });
    const [, search, change, login, photo] = crm.api.seen;
    expect(search?.url).toBe("/v1/search?filter%5Bname%5D=A%26b&filter%5Bage%5D=3");
    expect(change).toMatchObject({ method: "PATCH", body: '{"name":"Ada"}', headers: { "content-type": "application/json" } });
    expect(login).toMatchObject({ body: "user=a%26b%3Dc&tags=x&tags=y", headers: { "content-type": "application/x-www-form-urlencoded" } });
    expect(photo?.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=remit-[0-9a-f]{32}$/);
    expect(photo?.body).toContain('form-data; name="photo"; filename="photo"\r\ncontent-type: application/octet-stream\r\n\r\nhi\r\n');
  });

  test.each([[".."], ["."], ["a/b"], ["..%2fadmin"], ["%2e%2e"], ["%252e%252e%252fadmin"], ["a\\b"], ["a?b"], ["a#b"], [""], ["a\nb"]])(
    "[CTL-18] a path parameter %j leads nowhere else: nothing is sent",
    async (id) => {
      await using crm = await openCrm();
      await expect(crm.call("getCustomer", { id })).rejects.toMatchObject({ code: "invalid-arguments" });
      expect(crm.api.seen).toEqual([]);
    },
  );

  test.each([["a\r\nx-admin: 1"], ["a\u0000"], ["ü"], ["a\u2028b"]])(
    "[CTL-18] a header parameter %j begins no other header: nothing is sent",
    async (trace) => {
      await using crm = await openCrm();
      await expect(crm.call("getCustomer", { id: "7", "X-Trace": trace })).rejects.toMatchObject({ code: "invalid-arguments" });
      expect(crm.api.seen).toEqual([]);
    },
  );

  test("errors are the tool's errors, pictures are pictures, and redirects to other servers are not followed", async () => {
    await using crm = await openCrm();
    await using other = await openApiServer();
    crm.api.answer((_request, response) => response.writeHead(404, { "content-type": "application/json" }).end('{"error":"none"}'));
    expect(await crm.call("getCustomer", { id: "8" })).toEqual({
      content: [
        { type: "text", text: "HTTP 404 from GET /customers/{id}" },
        { type: "text", text: '{"error":"none"}' },
      ],
      isError: true,
      _meta: { "remit/http-status": 404 },
    });
    crm.api.answer((_request, response) => response.writeHead(200, { "content-type": "image/png" }).end(Buffer.from([0x89, 0x50])));
    expect((await crm.call("get_photos", {})).content).toEqual([{ type: "image", data: "iVA=", mimeType: "image/png" }]);

    crm.api.answer((_request, response) => response.writeHead(302, { location: `${other.url}/v1/customers/8` }).end());
    await expect(crm.call("getCustomer", { id: "8" })).rejects.toThrow("another server");
    crm.api.answer((_request, response) => response.writeHead(307, { location: "/v1/elsewhere" }).end());
    await expect(crm.call("changeCustomer", { id: "8", body: { name: "x" } })).rejects.toThrow("not followed");
    expect(other.seen).toEqual([]);
  });

  test("[CTL-18] an answer that is too large, compressed or not, is dropped; one that breaks off is unknown", async () => {
    await using crm = await openCrm();
    crm.api.answer((_request, response) =>
      response
        .writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
        .end(gzipSync(Buffer.alloc(30 * 1024 * 1024, 32))),
    );
    await expect(crm.call("getCustomer", { id: "8" })).rejects.toThrow("more than 10 MB");
    crm.api.answer((_request, response) => response.writeHead(200, { "content-length": "100" }).write("x", () => response.destroy()));
    await expect(crm.call("getCustomer", { id: "8" })).rejects.toMatchObject({ code: "outcome-unknown" });
    // It is as usable as before.
    crm.api.answer((_request, response) => response.end("plain"));
    expect(firstText(await crm.call("getCustomer", { id: "8" }))).toBe("plain");
  });

  test("[CTL-18] a description that changes is connected anew, and says so; what it sends is part of what is pinned", async () => {
    const folder = await mkdtemp(join(tmpdir(), "remit-api-"));
    const document = (method: string) => ({
      openapi: "3.1.0",
      info: { title: "T", version: "1" },
      paths: { "/things": { [method]: { operationId: "things", summary: "Things", responses: {} } } },
    });
    await writeFile(join(folder, "api.json"), JSON.stringify(document("get")));
    const spec = apiSpec("api", "api.json", "http://127.0.0.1:9", { recheckMs: 1_000 });
    await using fleet = openFleet([spec], { rootDir: folder });
    const [before] = await fleet.nextOffer("api");
    await writeFile(join(folder, "api.json"), JSON.stringify(document("delete")));
    const [after] = await fleet.nextOffer("api");
    // The same name, the same words, the same schema: only what is sent differs.
    expect(after).toMatchObject({ name: before?.name, description: before?.description });
    expect([before, after].map((tool) => JSON.stringify(tool?.inputSchema["$comment"]).split(",")[0]?.slice(1))).toEqual([
      "GET http://127.0.0.1:9/things",
      "DELETE http://127.0.0.1:9/things",
    ]);
    await rm(folder, { recursive: true });
  });

  test("[CTL-18] a description at an address is fetched from where it may be, and its servers are relative to it", async () => {
    await using api = await openApiServer();
    api.answer((request, response) => {
      if (request.url === "/docs/old.json") response.writeHead(302, { location: "/docs/api.json" }).end();
      else if (request.url === "/docs/inward.json") response.writeHead(302, { location: "http://169.254.169.254/api.json" }).end();
      else
        response.writeHead(200, { "content-type": "application/json" }).end(
          JSON.stringify({
            openapi: "3.0.1",
            info: { title: "T", version: "1" },
            servers: [{ url: "../v2" }],
            paths: { "/things": { get: { responses: {} } } },
          }),
        );
    });
    const commentOf = async (path: string, outbound: Outbound) => {
      await using fleet = openFleet([], { outbound });
      const [tool] = await fleet.probe(apiSpec("api", `${api.url}${path}`));
      return tool?.inputSchema["$comment"];
    };
    const local = createOutbound({ allow: ["127.0.0.0/8"] });
    expect(await commentOf("/docs/old.json", local)).toMatch(new RegExp(`^GET ${api.url}/v2/things, `));
    await expect(commentOf("/docs/inward.json", local)).rejects.toMatchObject({ code: "upstream-unavailable" });
    const before = api.seen.length;
    await expect(commentOf("/docs/api.json", createOutbound())).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(api.seen).toHaveLength(before);
  });

  test("every schema that it makes can be compiled", async () => {
    await using crm = await openCrm();
    const normaliser = createNormaliser();
    for (const tool of await crm.fleet.offered("crm")) {
      const pin = { ...tool, digest: createHash("sha256").update(tool.name).digest("hex") };
      expect(() => normaliser.resultProblem(pin, {}), tool.name).not.toThrow();
      try {
        normaliser.arguments(pin, {});
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid-arguments" });
      }
    }
  });

  test("a document that leads out of the registry, or that nobody may fetch, connects nothing", async () => {
    await using fleet = openFleet([], { rootDir: fixturesDir });
    await expect(fleet.probe(apiSpec("up", "../openapi.testing.ts"))).rejects.toThrow("leads out");
    await expect(fleet.probe(apiSpec("meta", "https://169.254.169.254/openapi.json"))).rejects.toMatchObject({
      code: "upstream-unavailable",
    });
    await expect(fleet.probe(apiSpec("gone", "nothing.yaml"))).rejects.toThrow("ENOENT");
  });
});
