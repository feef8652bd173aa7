import { parse as parseJson } from "jsonc-parser";
import { parse as parseToml } from "smol-toml";
import { expect, test } from "vitest";
import { secretOnCommandLine } from "./client-config.ts";
import { readClientConfig } from "./read-client-config.ts";

const entry = { command: "/opt/remit", args: ["mcp", "serve", "--upstream", "files"] };

const samples: { client: string; file: string; text: string; servers: string[]; keeps: string[] }[] = [
  {
    client: "Claude Desktop",
    file: "claude_desktop_config.json",
    text: `{
  "mcpServers": {
    "files": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "/Users/kim/Desktop"]
    },
    "crm": { "command": "crm", "env": { "CRM_TOKEN": "abc" } }
  },
  "globalShortcut": "Ctrl+Space"
}
`,
    servers: ["files", "crm"],
    keeps: [`"globalShortcut": "Ctrl+Space"`, `"crm": { "command": "crm", "env": { "CRM_TOKEN": "abc" } }`],
  },
  {
    client: "Claude Code, of a project",
    file: ".mcp.json",
    text: `{"mcpServers":{"files":{"type":"stdio","command":"files","args":[],"env":{}},"docs":{"type":"http","url":"https://docs.example/mcp","headers":{"Authorization":"Bearer x"}}}}`,
    servers: ["files", "docs"],
    keeps: [`"docs":{"type":"http","url":"https://docs.example/mcp","headers":{"Authorization":"Bearer x"}}`],
  },
  {
    client: "Claude Code, of a person",
    file: ".claude.json",
    text: `{\n\t"numStartups": 7,\n\t"mcpServers": {},\n\t"projects": {\n\t\t"/work/app": {\n\t\t\t"mcpServers": { "files": { "command": "files" } },\n\t\t\t"allowedTools": []\n\t\t}\n\t}\n}`,
    servers: ["files"],
    keeps: [`"numStartups": 7`, `"allowedTools": []`],
  },
  {
    client: "Cursor",
    file: "mcp.json",
    text: `{\r\n  "mcpServers": {\r\n    "files": {\r\n      "command": "files"\r\n    },\r\n    "remote": {\r\n      "url": "http://127.0.0.1:9/mcp"\r\n    }\r\n  }\r\n}\r\n`,
    servers: ["files", "remote"],
    keeps: [`"remote": {\r\n      "url": "http://127.0.0.1:9/mcp"\r\n    }\r\n`],
  },
  {
    client: "VS Code",
    file: "mcp.json",
    text: `{
  // asked for once
  "inputs": [{ "id": "token", "type": "promptString", "password": true }],
  "servers": {
    "files": { "type": "stdio", "command": "files", "args": ["\${workspaceFolder}"] }, /* here */
    "plain": { "type": "stdio", "command": "plain" },
  },
}
`,
    servers: ["files", "plain"],
    keeps: ["// asked for once", "/* here */", `"inputs": [{ "id": "token"`],
  },
  {
    client: "Codex",
    file: "config.toml",
    text: `model = "gpt-5.5-codex" # the newest

[mcp_servers.files]
command = "npx"
args = ["-y", "server", "]["]
startup_timeout_sec = 20

[mcp_servers.files.env]
TOKEN = "abc"

[mcp_servers."other one"]
url = "https://docs.example/mcp"

[tools]
web_search = true
`,
    servers: ["files", "other one"],
    keeps: [`model = "gpt-5.5-codex" # the newest`, `[mcp_servers."other one"]\nurl = "https://docs.example/mcp"\n\n[tools]`],
  },
];

test.each(samples)(
  "[CTL-34] the servers of $client are found, and one is replaced with all else as it was",
  ({ file, text, servers, keeps }) => {
    const config = readClientConfig(file, text);
    expect(config.servers.map(({ name }) => name)).toEqual(servers);
    const [first] = config.servers;
    if (first === undefined) throw new Error("there is none");
    const rewritten = config.rewrite(new Map([[first, entry]]));
    for (const kept of keeps) expect(rewritten).toContain(kept);
    const parsed = (file.endsWith(".toml") ? parseToml(rewritten) : parseJson(rewritten, [], { allowTrailingComma: true })) as unknown;
    expect(JSON.stringify(parsed)).toContain(JSON.stringify(entry.args));
    expect(readClientConfig(file, rewritten).servers.map(({ name }) => name)).toEqual(servers);
    expect(config.rewrite(new Map())).toBe(text);
  },
);

test("what only the client can fill in is said to be so, and left", () => {
  const text = `{ "servers": { "a": { "command": "x", "args": ["\${input:token}"] }, "b": { "command": 3 }, "c": 1, "d": { "url": "ftp://x" } } }`;
  expect(readClientConfig("mcp.json", text).servers.map(({ transport }) => transport.type)).toEqual([
    "unknown",
    "unknown",
    "unknown",
    "unknown",
  ]);
});

test.each<[string, object, RegExp]>([
  ["is switched off", { command: "x", disabled: true }, /switched off/],
  ["is switched off in Codex", { command: "x", enabled: false }, /switched off/],
  ["has a file of settings", { command: "x", envFile: ".env" }, /somewhere else/],
  ["has variables of the client's", { command: "x", env_vars: ["GITHUB_TOKEN"] }, /somewhere else/],
  ["has a variable that is none", { command: "x", env: { "API KEY": "a" } }, /name that is none/],
  [
    "has a secret on its command line",
    { command: "x", args: ["--api-key", "canary-value-17"] },
    /command line holds a secret \(--api-key has the name/,
  ],
  ["has one in a word", { command: "x", args: ["--header=Authorization: Bearer canary-value-17"] }, /command line holds a secret/],
  ["has a password in its address", { url: "https://kim:canary-value-17@docs.example/mcp" }, /holds a password/],
])("[CTL-34] a server that %s is left, and why is said without what is secret", (_name, server, why) => {
  const [read] = readClientConfig("mcp.json", JSON.stringify({ mcpServers: { one: server } })).servers;
  if (read === undefined) throw new Error("there is none");
  const said = read.transport.type === "unknown" ? read.transport.why : secretOnCommandLine(read);
  expect(said).toMatch(why);
  expect(said).not.toContain("canary");
});

test.each([
  ["mcp.json", "{"],
  ["mcp.json", "[]"],
  ["config.toml", "[mcp_servers"],
])("%s with %s is refused in words", (file, text) => {
  expect(() => readClientConfig(file, text)).toThrow("Nothing was changed");
});

test.each([
  `mcp_servers = { files = { command = "files" } }\n`,
  `mcp_servers.files.command = "files"\n`,
  `[mcp_servers.files]\ncommand = "files"\nenv.A = """\n[not.a.header]\n"""\n`,
])("servers in another form of TOML are refused rather than rewritten wrongly: %s", (text) => {
  const config = readClientConfig("config.toml", text);
  const [first] = config.servers;
  if (first === undefined) throw new Error("there is none");
  expect(() => config.rewrite(new Map([[first, entry]]))).toThrow("tables of their own");
});
