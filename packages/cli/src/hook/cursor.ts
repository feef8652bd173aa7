import { z } from "zod";
import type { HookAct, HookCall, HookClient } from "./hook-call.ts";
import { linesChanged } from "./lines-changed.ts";

const text = z.string();

const eventSchema = z.looseObject({
  conversation_id: z.string().default(""),
  hook_event_name: z.string(),
  workspace_roots: z.array(z.string()).default([]),
  cwd: z.string().optional(),
});

const events = ["beforeShellExecution", "beforeMCPExecution", "beforeReadFile", "preToolUse"] as const;
/** The two at which Cursor can ask the person in front of it (cursor.com/docs/agent/hooks); elsewhere an `ask` is not obeyed. */
const asks: ReadonlySet<string> = new Set(["beforeShellExecution", "beforeMCPExecution"]);

/** Cursor's hooks. */
export const cursor: HookClient = {
  read(event): HookCall | null {
    const { conversation_id: session, hook_event_name: name, workspace_roots: roots, cwd } = eventSchema.parse(event);
    const folder = cwd === undefined || cwd === "" ? roots[0] : cwd;
    if (!(events as readonly string[]).includes(name)) return null;
    if (folder === undefined) throw new Error("it names no folder that the agent works in");
    return { session, cwd: folder, workspace: roots[0] ?? folder, ...actOf(name, event as Record<string, unknown>) };
  },
  answer({ type, reason }, event) {
    const name = z.looseObject({ hook_event_name: z.string() }).safeParse(event);
    const permission = type === "ask" && !(name.success && asks.has(name.data.hook_event_name)) ? "deny" : type;
    return { stdout: JSON.stringify({ permission, user_message: reason, agent_message: reason }), exit: 0 };
  },
  settings: (command) => ({
    file: ".cursor/hooks.json",
    text: JSON.stringify(
      { version: 1, hooks: Object.fromEntries(events.map((name) => [name, [{ command, timeout: 60, failClosed: true }]])) },
      null,
      2,
    ),
  }),
};

function actOf(name: string, event: Record<string, unknown>): HookAct {
  if (name === "beforeShellExecution") return { type: "shell", command: text.parse(event["command"]) };
  if (name === "beforeReadFile") return { type: "read", paths: [text.min(1).parse(event["file_path"])] };
  const tool = text.min(1).parse(event["tool_name"]);
  if (name === "beforeMCPExecution") {
    const server = event["server_name"] ?? event["url"] ?? event["command"];
    return { type: "mcp", server: typeof server === "string" ? server : "", tool, input: asText(event["tool_input"]) };
  }
  return toolAct(tool, z.record(z.string(), z.unknown()).default({}).parse(event["tool_input"]));
}

/** Before any tool. What has an event of its own is decided there, where more is known. */
function toolAct(tool: string, input: Record<string, unknown>): HookAct {
  const path = input["file_path"] ?? input["path"] ?? input["target_file"];
  switch (tool) {
    case "Shell":
    case "Read":
      return { type: "talk", tool };
    case "Grep":
    case "Glob":
    case "LS":
      return { type: "read", paths: [text.default(".").parse(path)] };
    case "Write":
    case "StrReplace":
    case "Edit":
    case "Delete": {
      const before = text.default("").parse(input["old_string"]);
      const after = text.default("").parse(input["new_string"] ?? input["content"] ?? input["contents"]);
      return {
        type: "edit",
        paths: [text.min(1).parse(path)],
        linesChanged: linesChanged(before, after),
        change: `- ${before}\n+ ${after}`,
      };
    }
    case "WebFetch":
      return { type: "fetch", url: text.parse(input["url"]) };
    case "WebSearch":
      return { type: "fetch", url: text.parse(input["query"] ?? input["search_term"]) };
    case "Task":
    case "TodoWrite":
      return { type: "talk", tool };
    default:
      return tool.startsWith("MCP:") ? { type: "talk", tool } : { type: "other", tool, input: asText(input) };
  }
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
