import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveAgent } from "../agent/served-agent.testing.ts";
import type { ServedAgent } from "../agent/served-agent.testing.ts";

const everything = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));

let served: ServedAgent;
let file: string;
const secret = "canary-9f3b1c77e2";

beforeAll(async () => {
  served = await serveAgent("other", {
    "agents/other.yaml": `kind: agent
name: other
purpose: Was here before
accountable: ada
tier: 1
policies: [other]
environments: [laptop]
tools: []
constraints: {}
`,
    "policies/other/policy.yaml": `kind: policy
name: other
description: Nothing
owner: ada
`,
    "policies/other/none.cedar": `@id("none")
forbid (principal, action, resource);
`,
  });
  file = join(served.folder, ".cursor/mcp.json");
  await mkdir(dirname(file));
});
afterAll(() => served.stop());

const config = () => `{
  // what I use
  "mcpServers": {
    "Every Thing": { "command": ${JSON.stringify(process.execPath)}, "args": [${JSON.stringify(everything)}], "env": { "API_TOKEN": "${secret}", "LOG_LEVEL": "debug" } },
    "broken": { "command": "/no/such/program" },
    "asks": { "command": "x", "args": ["\${input:token}"] }
  }
}
`;

test("[CTL-34][RUN-28] a client's servers are put behind Remit, the client before it, and back again byte for byte", async () => {
  await writeFile(file, config(), { mode: 0o640 });
  await chmod(file, 0o640);
  const registry = join(served.folder, "registry");
  const dry = await served.remit(["wrap", "cursor", "--registry", registry, "--context", "ada", "--dry-run"]);
  expect(dry.out).toContain("Would write");
  expect(await readFile(file, "utf8")).toBe(config());

  const wrapped = await served.remit(["wrap", "cursor", "--registry", registry, "--context", "ada", "--yes", "--json"]);
  expect({ exit: wrapped.exit, err: wrapped.err }).toEqual({ exit: 1, err: "" });
  expect(wrapped.out).not.toContain(secret);
  const result = JSON.parse(wrapped.out) as { left: { server: string }[]; wrapped: { upstream: string; secrets: string[] }[] };
  expect(result.left.map(({ server }) => server)).toEqual(["broken", "asks"]);
  expect(result.wrapped).toMatchObject([{ upstream: "every-thing", secrets: ["every-thing/api-token"] }]);
  const upstream = await readFile(join(registry, "upstreams/every-thing.yaml"), "utf8");
  expect(upstream).toContain("LOG_LEVEL: debug");
  expect(upstream).not.toContain(secret);
  const rewritten = await readFile(file, "utf8");
  expect(rewritten).toContain("// what I use");
  expect(rewritten).not.toContain(secret);
  expect(((await stat(file)).mode & 0o777).toString(8)).toBe("640");
  expect(await served.remit(["wrap", "cursor", "--registry", registry])).toMatchObject({
    exit: 1,
    err: expect.stringContaining("wrapped already") as string,
  });

  const applied = await served.remit(["apply", "registry", "--yes", "--context", "ada"]);
  expect(applied.err + applied.out).toContain("Applied");
  const { command, args } = (
    JSON.parse(rewritten.replace(/^\s*\/\/.*$/m, "")) as { mcpServers: Record<string, { command: string; args: string[] }> }
  ).mcpServers["Every Thing"] ?? { command: "", args: [] };
  const credentials = args.at(-1) ?? "";
  await mkdir(dirname(credentials), { recursive: true });
  await writeFile(credentials, (await served.remit(["agents", "secret", "new", "cursor", "--context", "ada", "--json"])).out, {
    mode: 0o600,
  });
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(
    new StdioClientTransport({
      command,
      args,
      env: { PATH: process.env["PATH"] ?? "", HOME: served.folder, REMIT_CONFIG_DIR: join(served.folder, "c") },
    }),
  );
  expect(await client.callTool({ name: "echo", arguments: { message: "hi" } })).toMatchObject({ content: [{ text: "Echo: hi" }] });
  // What the server is shown never comes back, also where it says all that it was given.
  expect(JSON.stringify(await client.callTool({ name: "get-env", arguments: {} }))).not.toContain(secret);
  await client.close();

  await writeFile(file, `${rewritten} `);
  expect(await served.remit(["wrap", "cursor", "--undo"])).toMatchObject({ exit: 1, err: expect.stringContaining("--force") as string });
  expect((await served.remit(["wrap", "cursor", "--undo", "--force"])).exit).toBe(0);
  expect(await readFile(file, "utf8")).toBe(config());
  expect((await served.remit(["wrap", "cursor", "--undo"])).exit).toBe(1);
});

test("where nobody confirms what tools do, nothing can be applied with them", async () => {
  const registry = join(served.folder, "unconfirmed");
  await mkdir(registry);
  await writeFile(join(registry, "remit.yaml"), await readFile(join(served.folder, "registry/remit.yaml")));
  const elsewhere = join(served.folder, "elsewhere.json");
  await writeFile(elsewhere, JSON.stringify({ mcpServers: { everything: { command: process.execPath, args: [everything] } } }));
  const link = join(served.folder, "link.json");
  await symlink(elsewhere, link);
  expect((await served.remit(["wrap", link, "--registry", registry, "--agent", "desk", "--context", "ada"])).exit).toBe(0);
  expect(await readFile(join(registry, "tools/everything.yaml"), "utf8")).toContain("unconfirmed: true");
  expect(await readFile(elsewhere, "utf8")).toContain("--upstream");
  expect((await served.remit(["plan", registry, "--context", "ada"])).err).toContain("unconfirmed");
  expect((await served.remit(["wrap", link, "--undo"])).exit).toBe(0);
  expect(JSON.parse(await readFile(elsewhere, "utf8"))).toEqual({
    mcpServers: { everything: { command: process.execPath, args: [everything] } },
  });
});

test("[CTL-35] servers that do not go through Remit are found in every client's configuration", async () => {
  await writeFile(
    file,
    JSON.stringify({
      mcpServers: {
        shadow: { command: "crm", args: ["--token", secret] },
        disguised: { command: "sh", args: ["-c", "crm; remit mcp serve"] },
        named: { command: "crm", args: ["remit", "mcp", "serve"] },
        known: { command: "npx", args: ["-y", "remit", "mcp", "serve"] },
      },
    }),
  );
  const { out, exit } = await served.remit(["wrap", "--scan", "--json"]);
  expect(exit).toBe(1);
  expect(out).not.toContain(secret);
  expect((JSON.parse(out) as { items: unknown[] }).items).toEqual([
    { client: "cursor", file, server: "shadow", governed: false, why: "crm" },
    { client: "cursor", file, server: "disguised", governed: false, why: "sh" },
    { client: "cursor", file, server: "named", governed: false, why: "crm" },
    { client: "cursor", file, server: "known", governed: true, why: "npx -y remit mcp serve" },
  ]);
});
