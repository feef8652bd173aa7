import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Served } from "../up/served.testing.ts";
import { serveRegistry } from "../up/served.testing.ts";

// One server for all: each test goes on from where the one before has left it.
let served: Served;
let api: Server;
const asked: string[] = [];

const description = {
  openapi: "3.1.0",
  info: { title: "Orders", version: "1" },
  paths: {
    "/orders/{id}": {
      parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
      get: {
        operationId: "getOrder",
        summary: "One order",
        responses: { 200: { description: "it", content: { "application/json": { schema: { $ref: "#/components/schemas/Order" } } } } },
      },
      delete: { operationId: "cancelOrder", summary: "Cancels an order", responses: { 204: { description: "done" } } },
    },
  },
  components: {
    schemas: { Order: { type: "object", properties: { id: { type: "string" }, cents: { type: "integer" } }, required: ["id"] } },
  },
};

const registry: Record<string, string> = {
  "remit.yaml": `apiVersion: remit/v1
organisation: { name: acme, trustDomain: acme.example, timeZone: Europe/Berlin }
`,
  "parties/people.yaml": `{ kind: party, name: ada, displayName: Ada, roles: [admin, operator] }
---
{ kind: party, name: ben, displayName: Ben, roles: [operator] }
`,
  "teams/teams.yaml": "{ kind: team, name: platform, members: [ada], approval: {} }\n",
  "policies/plain/policy.yaml": "{ kind: policy, name: plain, description: What agents may do, owner: ada }\n",
  "policies/plain/grants.cedar": `@id("all")\npermit (principal, action, resource);\n`,
  "environments/all.yaml": "{ kind: environment, name: staging, type: staging }\n",
  "agents/clerk.yaml": `kind: agent
name: clerk
purpose: Looks after orders
accountable: ada
tier: 2
policies: [plain]
environments: [staging]
tools: [orders__getOrder, orders__cancelOrder]
constraints: { may: [read orders], asks: [], never: [] }
`,
};

beforeAll(async () => {
  api = createServer((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    if (request.method === "GET") response.writeHead(200, { "content-type": "application/json" }).end('{"id":"7","cents":1200}');
    else response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
  const servers = [{ url: `http://127.0.0.1:${(api.address() as AddressInfo).port}/v1` }];
  served = await serveRegistry(registry);
  await writeFile(join(served.folder, "orders.json"), JSON.stringify({ ...description, servers }));
});
afterAll(async () => {
  await served.stop();
  await new Promise((resolve) => api.close(resolve));
});

const remit = (...args: string[]) => served.remit(args);

type Answer = {
  isError?: boolean;
  structuredContent?: unknown;
  content: { text?: string }[];
  _meta?: { "remit/outcome"?: { actionId: string } };
};

let issued: Record<string, string> | undefined;

async function call(tool: string, args: object): Promise<Answer> {
  issued ??= JSON.parse((await remit("agents", "secret", "new", "clerk", "--json")).out) as Record<string, string>;
  const { clientId, clientSecret, resource } = issued;
  const token = await fetch(`${served.url}/oidc/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", resource: resource ?? "" }),
  });
  const { access_token } = (await token.json()) as { access_token: string };
  const answer = await fetch(`${served.url}/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${access_token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2025-11-25",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: tool, arguments: args } }),
  });
  return ((await answer.json()) as { result: Answer }).result;
}

test("[CTL-38] a description becomes files, and nothing of it is in force before somebody has confirmed what was guessed", async () => {
  const imported = await remit("openapi", "import", "orders.json", "--name", "orders", "--owner", "platform", "--registry", "registry");
  expect(imported).toMatchObject({
    exit: 0,
    out: expect.stringContaining("orders__cancelOrder  write, to be confirmed  DELETE /orders/{id}") as string,
  });
  expect(await readFile(join(served.folder, "registry/openapi/orders.json"), "utf8")).toContain("getOrder");
  const planned = await remit("plan", "registry");
  expect(planned.exit).toBe(2);
  expect(planned.err).toContain("nobody has confirmed that orders__cancelOrder is effect: write");
  expect(planned.err).not.toContain("getOrder");

  const tools = join(served.folder, "registry/tools/orders.yaml");
  await writeFile(tools, (await readFile(tools, "utf8")).replaceAll("unconfirmed: true\n", ""));
  expect((await remit("apply", "registry", "--yes")).exit).toBe(0);
  // Imported again, what people have written stays.
  await remit("openapi", "import", "orders.json", "--name", "orders", "--owner", "platform", "--registry", "registry");
  expect(await readFile(tools, "utf8")).not.toContain("unconfirmed");
});

test("[CTL-18][CTL-38] an agent calls it as any other tool: listed, decided, recorded", async () => {
  expect(await call("orders__getOrder", { id: "7" })).toMatchObject({ structuredContent: { id: "7", cents: 1200 } });
  expect(await call("orders__getOrder", { id: "../admin" })).toMatchObject({ isError: true });
  expect(await call("orders__cancelOrder", { id: "8" })).not.toMatchObject({ isError: true });
  expect(asked).toEqual(["GET /v1/orders/7", "DELETE /v1/orders/8"]);
  expect((await remit("upstreams")).out).toMatch(/orders +ready/);
});

test("[SAF-10] a fault is injected and shown by those who operate, and ends when they say so", async () => {
  for (const party of ["ada", "ben"]) {
    const { out } = await remit("link", party);
    await remit("login", out.trim(), "--context", party);
  }
  const about = ["--upstream", "orders", "--kind", "error", "--reason", "game day", "--context", "ben"];
  expect((await remit("fault", "add", "--environment", "stagin", ...about)).err).toContain('did you mean "staging"?');
  const added = await remit("fault", "add", "--environment", "staging", "--for", "5m", ...about);
  expect(added).toMatchObject({
    exit: 0,
    out: expect.stringMatching(/^flt_\w+: error of orders in staging, for 100 of 100 calls, until /) as string,
  });
  expect((await remit("status", "--context", "ada")).out).toContain("fault    error of orders in staging, active (game day)");
  const failed = await call("orders__getOrder", { id: "9" });
  expect(failed.isError).toBe(true);
  // The agent is told what it would be told of a real one; who reads the ledger is told that it was none.
  expect(JSON.stringify(failed)).not.toContain("purpose");
  const told = failed._meta?.["remit/outcome"]?.actionId ?? "";
  expect((await remit("audit", "show", told, "--context", "ada")).out).toContain("in 3 attempts (injected on purpose: error)");
  expect(asked).not.toContain("GET /v1/orders/9");

  // Five in a row: the tool is no longer called for a while, which is recorded and shown; its upstream's others are.
  for (let round = 0; round < 6; round += 1) await call("orders__cancelOrder", { id: String(round) });
  const upstreams = await remit("upstreams", "--context", "ada");
  expect(upstreams).toMatchObject({
    exit: 3,
    out: expect.stringContaining("orders__cancelOrder in staging keeps failing: not called until ") as string,
  });
  // It is recorded beside the calls, and may come a moment after the last of them.
  const opened = () => remit("api", "GET", "/v1/audit/entries?type=circuit-opened", "--context", "ada");
  await expect.poll(async () => (await opened()).out, { timeout: 20_000 }).toContain("orders__cancelOrder");
  const [id = ""] = added.out.split(":");
  expect((await remit("fault", "rm", id, "--context", "ada")).exit).toBe(0);
  expect((await remit("fault", "list", "--context", "ada")).out).toBe("No fault is injected.\n");
  expect((await remit("fault", "list", "--all", "--context", "ada")).out).toContain("removed");
  expect((await call("orders__getOrder", { id: "9" })).isError).toBeUndefined();
});

test("the example's description becomes the tools that its agent names", async () => {
  const example = join(import.meta.dirname, "../../../../examples/orders");
  const { out } = await remit(
    "openapi",
    "import",
    join(example, "orders.yaml"),
    "--name",
    "orders",
    "--owner",
    "platform",
    "--registry",
    example,
    "--dry-run",
  );
  const made = [...out.matchAll(/^name: (\w+Orders?)$/gm)].map(([, name]) => `orders__${name}`);
  expect(await readFile(join(example, "agents/orders.yaml"), "utf8")).toContain(`tools: [${made.join(", ")}]`);
});
