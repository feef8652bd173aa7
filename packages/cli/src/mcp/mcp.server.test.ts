import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveAgent } from "../agent/served-agent.testing.ts";
import type { ServedAgent } from "../agent/served-agent.testing.ts";

const remit = fileURLToPath(new URL("../../bin/remit", import.meta.url));
const everything = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));

let served: ServedAgent;

beforeAll(async () => {
  served = await serveAgent("desk", {
    "upstreams/everything.yaml": `kind: upstream
name: everything
owner: ada
transport: { type: stdio, command: node, args: [${JSON.stringify(everything)}] }
`,
    "tools/everything.yaml": `kind: tool
upstream: everything
name: echo
effect: read
reversibility: none
sensitivity: internal
owner: ada
`,
    "agents/desk.yaml": `kind: agent
name: desk
purpose: Sits in a desktop application
accountable: ada
tier: 1
policies: [desk]
environments: [laptop]
tools: [everything__echo]
constraints: {}
`,
    "policies/desk/policy.yaml": `kind: policy
name: desk
description: What desktop applications may do
owner: ada
`,
    "policies/desk/all.cedar": `@id("grant.read")
permit (principal, action in Remit::Action::"read", resource);
`,
  });
});
afterAll(() => served.stop());

const program = (...args: string[]) => ({
  command: remit,
  args: ["mcp", "serve", "--credentials", served.credentials, ...args],
  env: { HOME: served.folder, PATH: process.env["PATH"] ?? "", REMIT_CONFIG_DIR: `${served.folder}/config` },
});
const info = { name: "test", version: "1.0.0" };

test("[CTL-39][RUN-28] a client of the first SDK that speaks only stdio is served through the gateway", async () => {
  const client = new FirstClient(info);
  await client.connect(new FirstTransport(program()));
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["everything__echo"]);
  const result = await client.callTool({ name: "everything__echo", arguments: { message: "hi" } });
  expect(result).toMatchObject({
    content: [{ type: "text", text: "Echo: hi" }],
    _meta: { "remit/action": expect.stringMatching(/^act_/) as string },
  });
  await expect(client.callTool({ name: "everything__get-env", arguments: {} })).rejects.toThrow("Unknown tool");
  // Its token ends with what the agent was.
  const file = join(served.folder, "registry/agents/desk.yaml");
  await writeFile(file, (await readFile(file, "utf8")).replace("Sits in", "Is in"));
  expect((await served.remit(["apply", "registry", "--yes", "--context", "ada"])).exit).toBe(0);
  const again = await client.callTool({ name: "everything__echo", arguments: { message: "again" } });
  expect(again).toMatchObject({ content: [{ type: "text", text: "Echo: again" }] });
  await client.close();
});

test("[CTL-39] a client of the stateless revision is served as well, and one upstream alone keeps its own names", async () => {
  const client = new Client(info, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StdioClientTransport(program("--upstream", "everything")));
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["echo"]);
  expect(await client.callTool({ name: "echo", arguments: { message: "hi" } })).toMatchObject({
    content: [{ type: "text", text: "Echo: hi" }],
  });
  await client.close();
});

test("stdout carries messages and nothing else, and every request is answered, also where nobody is there to answer it", async () => {
  const { command, args, env } = program();
  const ask = async (lines: readonly string[], credentials?: string) => {
    const child = spawn(command, credentials === undefined ? args : [...args.slice(0, 3), credentials], {
      env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const out: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.resume();
    child.stdin.end(lines.map((line) => `${line}\n`).join(""));
    const [code] = (await once(child, "close")) as [number];
    const answers = Buffer.concat(out)
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as unknown);
    return { code, answers };
  };
  expect(await ask(["no json", '{"jsonrpc":"2.0","id":7,"method":"no/such"}', ""])).toMatchObject({
    code: 0,
    answers: expect.arrayContaining([
      expect.objectContaining({ id: null, error: expect.objectContaining({ code: -32700 }) as unknown }),
      expect.objectContaining({ id: 7, error: expect.objectContaining({ code: -32601 }) as unknown }),
    ]) as unknown,
  });
  expect(await ask([], "/no/such/file")).toMatchObject({ code: 2, answers: [] });
});
