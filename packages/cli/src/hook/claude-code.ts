import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import type { HookAct, HookCall, HookClient, Verdict } from "./hook-call.ts";
import { linesChanged, readPatch } from "./lines-changed.ts";

const eventSchema = z.looseObject({
  session_id: z.string().default(""),
  cwd: z.string().min(1),
  hook_event_name: z.string(),
  tool_name: z.string().min(1).optional(),
  tool_input: z.record(z.string(), z.unknown()).default({}),
});

const text = z.string();

/** Claude Code's `PreToolUse` (code.claude.com/docs/en/hooks). Any exit but 0 and 2 would let the call through. */
export const claudeCode: HookClient = {
  read: (event) => readToolEvent(event, claudeAct),
  answer: (verdict) => ({ stdout: toolAnswer(verdict), exit: 0 }),
  settings: (command) => ({ file: ".claude/settings.json", text: toolSettings("*", command) }),
};

/** Codex speaks the same form, but asks nobody: an `ask` would let the call through (developers.openai.com/codex/hooks). */
export const codex: HookClient = {
  read: (event) => readToolEvent(event, codexAct),
  answer(verdict) {
    // Codex knows no `allow` here: saying nothing is its yes.
    if (verdict.type === "allow") return { stdout: "", exit: 0 };
    return { stdout: toolAnswer({ ...verdict, type: "deny" }), exit: 0 };
  },
  settings: (command) => ({ file: "~/.codex/hooks.json", text: toolSettings(".*", command) }),
};

function readToolEvent(event: unknown, actOf: (tool: string, input: Record<string, unknown>, cwd: string) => HookAct): HookCall | null {
  const { session_id: session, cwd, hook_event_name: name, tool_name: tool, tool_input: input } = eventSchema.parse(event);
  if (name !== "PreToolUse") return null;
  if (tool === undefined) throw new Error("it names no tool");
  return { session, cwd, workspace: cwd, ...actOf(tool, input, cwd) };
}

function toolAnswer({ type, reason }: Verdict): string {
  return JSON.stringify({
    hookSpecificOutput: { hookEventName: "PreToolUse", permissionDecision: type, permissionDecisionReason: reason },
  });
}

function toolSettings(matcher: string, command: string): string {
  return JSON.stringify({ hooks: { PreToolUse: [{ matcher, hooks: [{ type: "command", command, timeout: 60 }] }] } }, null, 2);
}

/** Tools of the conversation itself. What a sub-agent does comes here again, call by call. */
const talk: ReadonlySet<string> = new Set([
  "TodoWrite",
  "TodoRead",
  "Task",
  "Agent",
  "TaskCreate",
  "TaskUpdate",
  "TaskList",
  "TaskGet",
  "TaskOutput",
  "ExitPlanMode",
  "EnterPlanMode",
  "AskUserQuestion",
  "BashOutput",
  "KillShell",
  "KillBash",
  "update_plan",
]);

function claudeAct(tool: string, input: Record<string, unknown>, cwd: string): HookAct {
  const file = () => text.min(1).parse(input["file_path"] ?? input["notebook_path"]);
  switch (tool) {
    case "Bash":
      return { type: "shell", command: text.parse(input["command"]) };
    case "Read":
    case "NotebookRead":
      return { type: "read", paths: [file()] };
    case "Glob":
    case "Grep":
    case "LS":
      return { type: "read", paths: [text.min(1).parse(input["path"] ?? cwd)] };
    case "Write": {
      const content = text.parse(input["content"]);
      return { type: "edit", paths: [file()], linesChanged: linesChanged(readOrNothing(resolve(cwd, file())), content), change: content };
    }
    case "Edit":
    case "MultiEdit": {
      const edits = z
        .array(z.looseObject({ old_string: text, new_string: text, replace_all: z.boolean().default(false) }))
        .min(1)
        .parse(tool === "Edit" ? [input] : input["edits"]);
      const before = readOrNothing(resolve(cwd, file()));
      const changed = edits.map((edit) => linesChanged(edit.old_string, edit.new_string) * timesFound(before, edit));
      const change = edits.map((edit) => `- ${edit.old_string}\n+ ${edit.new_string}`).join("\n");
      return { type: "edit", paths: [file()], linesChanged: changed.reduce((sum, one) => sum + one, 0), change };
    }
    case "NotebookEdit": {
      const source = text.default("").parse(input["new_source"]);
      return { type: "edit", paths: [file()], linesChanged: linesChanged("", source), change: source };
    }
    case "WebFetch":
      return { type: "fetch", url: text.parse(input["url"]) };
    case "WebSearch":
      return { type: "fetch", url: text.parse(input["query"]) };
    default:
      return otherAct(tool, input);
  }
}

function codexAct(tool: string, input: Record<string, unknown>): HookAct {
  const command = input["command"];
  if (tool === "apply_patch") {
    const patch = typeof command === "string" ? command : JSON.stringify(input);
    const read = readPatch(patch);
    // Whatever it is, it is no patch whose files are known.
    return read === null ? { type: "other", tool, input: patch } : { type: "edit", ...read, change: patch };
  }
  if (tool !== "Bash" && tool !== "shell" && tool !== "exec_command") return otherAct(tool, input);
  return { type: "shell", command: Array.isArray(command) ? quoted(z.array(text).min(1).parse(command)) : text.parse(command) };
}

function otherAct(tool: string, input: Record<string, unknown>): HookAct {
  const [, server, name] = /^mcp__(.+?)__(.+)$/.exec(tool) ?? [];
  if (server !== undefined && name !== undefined) return { type: "mcp", server, tool: name, input: JSON.stringify(input) };
  return talk.has(tool) ? { type: "talk", tool } : { type: "other", tool, input: JSON.stringify(input) };
}

/** Words as the command line that they came from. */
function quoted(words: readonly string[]): string {
  const [program, flag, script] = words;
  if (words.length === 3 && /(^|\/)(ba|z|da|)sh$/.test(program ?? "") && /^-l?c$/.test(flag ?? "") && script !== undefined) return script;
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}

function timesFound(before: string, edit: { old_string: string; replace_all: boolean }): number {
  if (!edit.replace_all || edit.old_string === "") return 1;
  return Math.max(before.split(edit.old_string).length - 1, 1);
}

/** A file that cannot be read counts as empty: every line of the new one is a change. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
