import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveAgent } from "../agent/served-agent.testing.ts";
import type { ServedAgent } from "../agent/served-agent.testing.ts";

let served: ServedAgent;
let workspace: string;

const tool = (name: string, effect: string) => `kind: tool
upstream: coding
name: ${name}
effect: ${effect}
reversibility: none
sensitivity: internal
owner: ada
${name === "file.edit" ? "amount: { pointer: /linesChanged, unit: lines }\n" : ""}---
`;

const registry: Record<string, string> = {
  "upstreams/coding.yaml": `kind: upstream
name: coding
owner: ada
transport: { type: hook }
`,
  "tools/coding.yaml": `${tool("shell.run", "write")}${tool("file.read", "read")}${tool("file.edit", "write")}${tool("web.fetch", "read")}${tool("tool.use", "write")}`,
  "agents/coder.yaml": `kind: agent
name: coder
purpose: Writes the code
accountable: ada
tier: 2
policies: [coding]
environments: [laptop]
tools: [coding__shell.run, coding__file.read, coding__file.edit, coding__web.fetch, coding__tool.use]
constraints: {}
`,
  "policies/coding/policy.yaml": `kind: policy
name: coding
description: What coding agents may do
owner: ada
`,
  "policies/coding/all.cedar": `@id("grant.all")
permit (principal, action, resource);

@id("stop.protected")
@reason("keys and settings are for people")
forbid (
  principal,
  action in [Remit::Action::"coding__shell.run", Remit::Action::"coding__file.read", Remit::Action::"coding__file.edit"],
  resource
)
when { context.input.touchesProtected };

@id("stop.elsewhere")
@reason("only the company's own hosts")
forbid (principal, action == Remit::Action::"coding__web.fetch", resource)
unless { context.input.host like "*.acme.example" };

@id("stop.large")
@reason("more than a person can review")
forbid (principal, action == Remit::Action::"coding__file.edit", resource)
when { context.input.linesChanged > 50 };

@id("gate.push")
@approval("maintainers")
forbid (principal, action == Remit::Action::"coding__shell.run", resource)
when { context.input.commands.contains("git push") }
unless { context.approvals.contains(Remit::Team::"maintainers") };

@id("cap.lines")
@obligation("cap")
@params("{\\"counts\\":\\"amount\\",\\"limit\\":60,\\"per\\":\\"day\\",\\"scope\\":\\"agent\\"}")
permit (principal, action == Remit::Action::"coding__file.edit", resource);
`,
};

beforeAll(async () => {
  served = await serveAgent("coder", registry);
  workspace = join(served.folder, "app");
  await mkdir(join(workspace, "src"), { recursive: true });
  await writeFile(join(workspace, "src/main.ts"), "one\ntwo\nthree\n");
});
afterAll(() => served.stop());

/** What a coding agent would start for one event. */
async function hook(client: string, event: unknown, ...args: string[]) {
  const text = typeof event === "string" ? event : JSON.stringify(event);
  const { exit, out, err } = await served.remit(["hook", client, "--credentials", served.credentials, ...args], text);
  return { exit, err, said: out === "" ? null : (JSON.parse(out) as Record<string, unknown>) };
}

async function claude(tool: string, input: Record<string, unknown>, ...args: string[]) {
  const event = {
    session_id: "8d1f",
    transcript_path: "/home/kim/.claude/projects/app/8d1f.jsonl",
    cwd: workspace,
    permission_mode: "default",
    hook_event_name: "PreToolUse",
    tool_name: tool,
    tool_input: input,
    tool_use_id: "toolu_01",
  };
  const { said, exit } = await hook("claude-code", event, ...args);
  const output = said?.["hookSpecificOutput"] as Record<string, string> | undefined;
  expect({ exit, name: output?.["hookEventName"] }).toEqual({ exit: 0, name: "PreToolUse" });
  return { decision: output?.["permissionDecision"], reason: output?.["permissionDecisionReason"] ?? "" };
}

describe("Claude Code", () => {
  test("[RUN-25][RUN-28][CTL-18] its built-in tools go through policy like any other", async () => {
    expect(await claude("Bash", { command: "npm test" })).toMatchObject({ decision: "allow" });
    expect(await claude("Read", { file_path: join(workspace, "src/main.ts") })).toMatchObject({ decision: "allow" });
    expect(await claude("Bash", { command: "ls; cat .env" })).toEqual({
      decision: "deny",
      reason: expect.stringContaining("keys and settings are for people") as string,
    });
    expect(await claude("Write", { file_path: join(workspace, ".claude/settings.json"), content: "{}" })).toMatchObject({
      decision: "deny",
    });
    expect(await claude("WebFetch", { url: "https://docs.acme.example/x", prompt: "sum up" })).toMatchObject({ decision: "allow" });
    expect(await claude("WebFetch", { url: "https://evil.example/x", prompt: "sum up" })).toMatchObject({ decision: "deny" });
  });

  test("[RUN-25] what cannot be read, and what is not known, is for the person in front of it", async () => {
    expect(await claude("Bash", { command: "curl https://get.acme.example | sh" })).toEqual({
      decision: "ask",
      reason: expect.stringContaining("sh runs what it reads") as string,
    });
    expect(await claude("Teleport", { to: "prod" })).toMatchObject({ decision: "ask" });
    expect(await claude("mcp__crm__delete_all", {})).toEqual({
      decision: "ask",
      reason: expect.stringContaining("does not go through Remit") as string,
    });
    expect(await claude("mcp__crm__delete_all", {}, "--governed", "crm")).toMatchObject({ decision: "allow" });
    expect(await claude("TodoWrite", { todos: [] })).toMatchObject({ decision: "allow" });
  });

  test("[RUN-25][CTL-29] an edit has a size, and a day has a budget of lines", async () => {
    const edit = (lines: number) =>
      claude("Write", {
        file_path: join(workspace, "src/new.ts"),
        content: Array.from({ length: lines }, (_, n) => `line ${n}`).join("\n"),
      });
    expect(await edit(51)).toEqual({ decision: "deny", reason: expect.stringContaining("more than a person can review") as string });
    expect(await edit(50)).toMatchObject({ decision: "allow" });
    expect(await claude("Edit", { file_path: join(workspace, "src/main.ts"), old_string: "two", new_string: "2" })).toMatchObject({
      decision: "allow",
    });
    expect(await edit(20)).toEqual({ decision: "deny", reason: expect.stringContaining("budget-exceeded") as string });
  });

  test("[RUN-25][CTL-28] what waits for a person is let through once when they have said yes, and asked for anew after that", async () => {
    const push = () => claude("Bash", { command: "git push origin main" });
    const first = await push();
    expect(first).toEqual({ decision: "deny", reason: expect.stringContaining("maintainers") as string });
    const approve = async () => {
      const { items } = JSON.parse((await served.remit(["approvals", "list", "--context", "ben", "--json"])).out) as {
        items: { id: string; digest: string }[];
      };
      const [{ id, digest } = { id: "", digest: "" }] = items;
      expect((await served.remit(["approvals", "approve", id, "--digest", digest, "--context", "ben"])).exit).toBe(0);
    };
    await approve();
    expect(await push()).toMatchObject({ decision: "allow" });
    const again = await push();
    expect(again).toEqual({ decision: "deny", reason: expect.stringContaining("maintainers") as string });
    await approve();
    expect(await push()).toMatchObject({ decision: "allow" });
    expect(await push()).toMatchObject({ decision: "deny" });
  });

  test("[RUN-25] whatever goes wrong, the call does not go through", async () => {
    for (const broken of ["", "{", "[]", "null", JSON.stringify({ hook_event_name: "PreToolUse", cwd: workspace, tool_name: "Bash" })]) {
      const { exit, err } = await hook("claude-code", broken);
      expect({ broken, exit }).toEqual({ broken, exit: 2 });
      expect(err).not.toBe("");
    }
    await writeFile(
      join(served.folder, "elsewhere.json"),
      (await readFile(served.credentials, "utf8")).replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:9"),
      {
        mode: 0o600,
      },
    );
    const event = { session_id: "1", cwd: workspace, hook_event_name: "PreToolUse", tool_name: "Bash", tool_input: { command: "ls" } };
    const { exit, said } = await hook("claude-code", event, "--credentials", join(served.folder, "elsewhere.json"));
    expect({ exit, said }).toMatchObject({ exit: 2, said: { hookSpecificOutput: { permissionDecision: "deny" } } });
  });

  test("other events are none of its business", async () => {
    const event = { session_id: "1", cwd: workspace, hook_event_name: "PostToolUse", tool_name: "Bash", tool_input: {}, tool_response: {} };
    expect(await hook("claude-code", event)).toMatchObject({ exit: 0, said: null });
  });
});

describe("Codex", () => {
  const event = (tool_name: string, command: unknown) => ({
    session_id: "0190",
    turn_id: "3",
    cwd: workspace,
    hook_event_name: "PreToolUse",
    model: "gpt-5.5-codex",
    permission_mode: "default",
    tool_name,
    tool_use_id: "call_1",
    tool_input: { command },
  });
  const denied = { hookSpecificOutput: { hookEventName: "PreToolUse", permissionDecision: "deny" } };

  test("[RUN-28] silence is its yes; it asks nobody, so that what would be asked is refused", async () => {
    expect(await hook("codex", event("Bash", "npm run build"))).toMatchObject({ exit: 0, said: null });
    expect(await hook("codex", event("Bash", ["bash", "-lc", "cat .env"]))).toMatchObject({ exit: 0, said: denied });
    expect(await hook("codex", event("Bash", "$X"))).toMatchObject({ exit: 0, said: denied });
  });

  test("[RUN-25] a patch names its files and its size", async () => {
    const patch = (file: string) => `*** Begin Patch\n*** Update File: ${file}\n@@\n-one\n+1\n*** End Patch`;
    expect(await hook("codex", event("apply_patch", patch("src/main.ts")))).toMatchObject({ exit: 0, said: null });
    expect(await hook("codex", event("apply_patch", patch(".github/workflows/ci.yml")))).toMatchObject({ exit: 0, said: denied });
    expect(await hook("codex", event("apply_patch", "no patch"))).toMatchObject({ exit: 0, said: denied });
  });
});

describe("Cursor", () => {
  const base = () => ({ conversation_id: "c1", generation_id: "g1", model: "auto", cursor_version: "3.1", workspace_roots: [workspace] });

  test("[RUN-28] each of its events is answered in its form, and asks only where it can", async () => {
    const shell = (command: string) => hook("cursor", { ...base(), hook_event_name: "beforeShellExecution", command, cwd: workspace });
    expect(await shell("npm test")).toMatchObject({ exit: 0, said: { permission: "allow" } });
    expect(await shell("cat .env")).toMatchObject({ exit: 0, said: { permission: "deny" } });
    expect(await shell("sh -s")).toMatchObject({ exit: 0, said: { permission: "ask" } });
    const read = (file_path: string) =>
      hook("cursor", { ...base(), hook_event_name: "beforeReadFile", file_path, content: "", attachments: [] });
    expect(await read(join(workspace, "src/main.ts"))).toMatchObject({ said: { permission: "allow" } });
    expect(await read(join(workspace, ".env"))).toMatchObject({ said: { permission: "deny" } });
    const mcp = { ...base(), hook_event_name: "beforeMCPExecution", tool_name: "delete_all", tool_input: "{}", command: "crm-server" };
    expect(await hook("cursor", mcp)).toMatchObject({ said: { permission: "ask" } });
    const unknown = { ...base(), hook_event_name: "preToolUse", tool_name: "Teleport", tool_input: {}, tool_use_id: "1" };
    expect(await hook("cursor", unknown)).toMatchObject({ said: { permission: "deny" } });
  });
});

test("a token that ended because its agent has changed is replaced, not shown again", async () => {
  expect(await claude("Bash", { command: "npm test" })).toMatchObject({ decision: "allow" });
  const file = join(served.folder, "registry/agents/coder.yaml");
  await writeFile(file, (await readFile(file, "utf8")).replace("Writes the code", "Writes all of the code"));
  expect((await served.remit(["apply", "registry", "--yes", "--context", "ada"])).exit).toBe(0);
  expect(await claude("Bash", { command: "npm test" })).toMatchObject({ decision: "allow" });
});

test("what was decided is on the record, with what was known of the call", async () => {
  const { out } = await served.remit(["audit", "query", "--type", "action-denied", "--context", "ada", "--json"]);
  expect(out).toContain("coding__shell.run");
});

test("the settings to paste make each coding agent ask about everything", async () => {
  for (const client of ["claude-code", "codex", "cursor"]) {
    const { out, err, exit } = await served.remit(["hook", client, "--settings", "--credentials", "/home/kim/my coder.json"]);
    expect(exit).toBe(0);
    expect(err).toContain("Into ");
    expect(out).toContain(`remit hook ${client} --credentials '/home/kim/my coder.json'`);
  }
});
