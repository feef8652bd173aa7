import type { Command } from "commander";
import { agentAccess } from "../agent/agent-access.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";

type ServeOptions = { credentials?: string; upstream?: string };

export function defineMcp(command: Command, run: Run): void {
  const serve = command
    .command("serve")
    .description("be an MCP server on stdin and stdout: everything goes to Remit's gateway, as one agent")
    .option("--credentials <file>", "the agent's credentials (default: REMIT_CREDENTIALS, or the run's own token)")
    .option("--upstream <name>", "one upstream alone, with its own names of tools")
    .action((options: ServeOptions) => run((frame) => serveMcp(frame, options)));
  example(serve, "remit mcp serve --credentials ~/.config/remit/coder.json", "remit mcp serve --upstream files");
}

async function serveMcp(frame: Frame, { credentials, upstream }: ServeOptions): Promise<void> {
  const { around, terminal } = frame;
  const access = await agentAccess(around, credentials);
  // The protocol's client is large, and no other command needs it.
  const { relayStdio } = await import("./relay-stdio.ts");
  const base = access.mcpUrl.replace(/\/+$/, "");
  await relayStdio({
    url: upstream === undefined ? base : `${base}/${encodeURIComponent(upstream)}`,
    access,
    stdin: around.stdin,
    stdout: around.stdout,
    // Never to stdout: a client would take it for a message.
    say: (message) => terminal.warn(safeLine(message)),
    signal: around.interruption().asked,
  });
}
