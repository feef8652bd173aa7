import { join } from "node:path";
import { RemitError } from "@remit/contract";
import type { Command } from "commander";
import { agentAccess } from "../agent/agent-access.ts";
import type { AgentAccess } from "../agent/agent-access.ts";
import { callTool } from "../agent/call-tool.ts";
import type { CallOutcome } from "../agent/call-tool.ts";
import { configDir } from "../context/context-store.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { asRemitError } from "../terminal/failure.ts";
import { claudeCode, codex } from "./claude-code.ts";
import { cursor } from "./cursor.ts";
import { describeCall } from "./describe-call.ts";
import type { Described } from "./describe-call.ts";
import type { HookClient, Verdict } from "./hook-call.ts";
import { useOnce } from "./used-grants.ts";

const clients: ReadonlyMap<string, HookClient> = new Map([
  ["claude-code", claudeCode],
  ["cursor", cursor],
  ["codex", codex],
]);

type HookOptions = { upstream: string; credentials?: string; governed: string[]; protect: string[]; settings?: true };

/** Coding agents take a hook that answers too late for one that has nothing against it. Milliseconds. */
const answerWithinMs = 25_000;
const largestEvent = 8 * 1024 * 1024;
/** How many equal calls that were all approved may follow each other before it is no longer believed. */
const longestChain = 50;

export function defineHook(command: Command, run: Run): void {
  const collect = (value: string, previous: string[]) => [...previous, value];
  command
    .description("decide about one call of a coding agent's built-in tools: read it from stdin, answer on stdout")
    .argument("<client>", [...clients.keys()].join(", "))
    .option("--upstream <name>", "the upstream with the transport `hook`", "coding")
    .option("--credentials <file>", "the agent's credentials (default: REMIT_CREDENTIALS, or the run's own token)")
    .option("--governed <server>", "an MCP server of the agent's configuration that goes through Remit; repeatable", collect, [])
    .option("--protect <glob>", "more paths that are protected, relative to the workspace; repeatable", collect, [])
    .option("--settings", "print the settings that make the coding agent ask, and decide nothing")
    .action((name: string, options: HookOptions) => run((frame) => hook(frame, name, options)));
  command.addHelpText(
    "after",
    `
What policy allows is let through. What it refuses, what waits for a person, and everything while Remit cannot be asked is stopped, with
the reason. What cannot be read without running it, and what is not known here, is put to the person in front of the coding agent, where
it can ask (Claude Code; Cursor for commands and MCP tools), and stopped elsewhere.`,
  );
  example(command, "remit hook claude-code --settings --credentials ~/.config/remit/coder.json", "remit hook claude-code < event.json");
}

async function hook(frame: Frame, name: string, options: HookOptions): Promise<number> {
  const client = clients.get(name);
  if (client === undefined)
    throw new RemitError("invalid-request", `No hook for "${name}": it is one of ${[...clients.keys()].join(", ")}.`);
  if (options.settings === true) {
    const { file, text } = client.settings(commandOf(name, options));
    frame.terminal.say(`Into ${file}:`);
    frame.terminal.line(text);
    return 0;
  }
  let event: unknown;
  try {
    event = JSON.parse(await readAll(frame)) as unknown;
    const verdict = await decide(frame, client, name, event, options);
    if (verdict === null) return 0;
    return answer(frame, client, verdict, event);
  } catch (error) {
    // Any other exit code than 2 would let the call through, so nothing may escape from here.
    const reason = RemitError.is(error) ? error.message : `Remit's hook could not read this call: ${asRemitError(error).message}`;
    frame.terminal.warn(reason);
    if (event !== undefined) answer(frame, client, { type: "deny", reason }, event);
    return 2;
  }
}

async function decide(frame: Frame, client: HookClient, name: string, event: unknown, options: HookOptions): Promise<Verdict | null> {
  const call = client.read(event);
  if (call === null) return null;
  if (call.type === "mcp" && options.governed.includes(call.server)) return { type: "allow", reason: "Remit decides at its gateway." };
  const described = describeCall(call, name, options.protect);
  if (described === null) return { type: "allow", reason: "It acts on nothing outside of the conversation." };
  const access = await agentAccess(frame.around, options.credentials);
  const outcome = await callOnce(access, options.upstream, described, join(await configDir(frame.around), "hook-used"));
  return verdictOf(outcome, described);
}

/** An outcome that was handed over before is not handed over again: the same call is asked for anew. */
async function callOnce(access: AgentAccess, upstream: string, described: Described, used: string): Promise<CallOutcome> {
  const until = Date.now() + answerWithinMs;
  let idempotencyKey: string | undefined;
  for (let round = 0; round < longestChain; round += 1) {
    const { tool } = described;
    const outcome = await callTool(access, {
      upstream,
      tool,
      arguments: described.arguments,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      timeoutMs: Math.max(until - Date.now(), 1),
    });
    if (outcome.type !== "succeeded" || (await useOnce(used, outcome.actionId))) return outcome;
    idempotencyKey = `after/${outcome.actionId}`;
  }
  return { type: "denied", code: "rate-exceeded", reason: "The same call was approved too many times today." };
}

function verdictOf(outcome: CallOutcome, { unclear }: Described): Verdict {
  switch (outcome.type) {
    case "succeeded":
      if (unclear.length === 0) return { type: "allow", reason: "Allowed by Remit." };
      return { type: "ask", reason: `Remit cannot tell what this does: ${unclear.slice(0, 3).join("; ")}. Look at it before you say yes.` };
    case "waiting":
      return {
        type: "deny",
        reason: `Not yet: ${outcome.reason} They decide at ${outcome.link} (${outcome.approvalId}). Once approved, make exactly the same call again; go on with other work meanwhile.`,
      };
    case "denied":
    case "failed":
      return { type: "deny", reason: `Refused by Remit: ${outcome.reason} (${outcome.code})` };
  }
}

function answer(frame: Frame, client: HookClient, verdict: Verdict, event: unknown): number {
  const { stdout, exit } = client.answer(verdict, event);
  if (stdout !== "") frame.terminal.line(stdout);
  return exit;
}

async function readAll(frame: Frame): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of frame.around.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > largestEvent) throw new RemitError("too-large", "The call is larger than Remit reads.");
    chunks.push(bytes);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
}

function commandOf(name: string, { upstream, credentials, governed, protect }: HookOptions): string {
  const words = [
    "remit",
    "hook",
    name,
    ...(upstream === "coding" ? [] : ["--upstream", upstream]),
    ...(credentials === undefined ? [] : ["--credentials", credentials]),
    ...governed.flatMap((one) => ["--governed", one]),
    ...protect.flatMap((one) => ["--protect", one]),
  ];
  return words.map((word) => (/^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}
