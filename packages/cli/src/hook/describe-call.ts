import type { JsonObject } from "@remit/contract";
import { homedir } from "node:os";
import type { HookCall } from "./hook-call.ts";
import { reachOf } from "./places.ts";
import type { Surrounds } from "./places.ts";
import { readCommand } from "./read-command.ts";

/** A call as the tool that Remit decides about, and what keeps it from being simply allowed. */
export type Described = { tool: string; arguments: JsonObject; unclear: string[] };

/** Approvers do not read more, and no call may be larger than the gateway takes. */
const longestText = 20_000;
const mostItems = 200;

/** Programs that do to what is in a folder what they do to the folder. */
const sweeping: ReadonlySet<string> = new Set([
  "rm",
  "mv",
  "cp",
  "chmod",
  "chown",
  "chgrp",
  "shred",
  "rsync",
  "find",
  "tar",
  "zip",
  "truncate",
]);

/** Null: nothing that acts. */
export function describeCall(call: HookCall, client: string, protect: readonly string[]): Described | null {
  const surrounds: Surrounds = { workspace: call.workspace, protect };
  const origin = { client, session: call.session.slice(0, 200), workspace: call.workspace };
  const named = (paths: readonly string[]) =>
    reachOf(
      paths.map((text) => ({ text, glob: false })),
      [call.cwd],
      false,
      surrounds,
    );
  switch (call.type) {
    case "shell": {
      const reading = readCommand(call.command, { cwd: call.cwd, home: homedir() });
      const reach = reading.tooMany
        ? { paths: [], protectedPaths: [], touchesProtected: true, outsideWorkspace: true }
        : reachOf(
            reading.places,
            reading.folders,
            reading.programs.some((program) => sweeping.has(program)),
            surrounds,
          );
      const { unclear } = reading;
      if (call.command.length > longestText) unclear.push("it is longer than an approver reads");
      // Policies look for what they forbid: a list that is cut would hide it.
      if ([reading.programs, reading.commands, reading.hosts, unclear].some((list) => list.length > mostItems))
        unclear.unshift("it names more than is told here");
      return {
        tool: "shell.run",
        arguments: {
          ...origin,
          command: cut(call.command),
          understood: unclear.length === 0,
          unclear: unclear.slice(0, mostItems),
          programs: reading.programs.slice(0, mostItems),
          commands: reading.commands.slice(0, mostItems),
          hosts: reading.hosts.slice(0, mostItems),
          writesFiles: reading.writesFiles,
          ...reach,
        },
        unclear,
      };
    }
    case "read":
      return { tool: "file.read", arguments: { ...origin, ...named(call.paths) }, unclear: [] };
    case "edit":
      return {
        tool: "file.edit",
        arguments: { ...origin, ...named(call.paths), linesChanged: call.linesChanged, change: cut(call.change) },
        unclear: [],
      };
    case "fetch": {
      const host = URL.canParse(call.url) ? new URL(call.url).hostname : "";
      return { tool: "web.fetch", arguments: { ...origin, url: call.url.slice(0, 8_000), host }, unclear: [] };
    }
    case "mcp":
      return unknown(origin, `${call.server}/${call.tool}`, call.input, "its MCP server does not go through Remit");
    case "other":
      return unknown(origin, call.tool, call.input, `the tool ${call.tool} is not known here`);
    case "talk":
      return null;
  }
}

function unknown(origin: JsonObject, tool: string, input: string, why: string): Described {
  return { tool: "tool.use", arguments: { ...origin, tool: tool.slice(0, 256), input: cut(input) }, unclear: [why] };
}

function cut(text: string): string {
  // Half a character would not be well-formed text, and would be refused.
  const whole = text.toWellFormed();
  return whole.length <= longestText ? whole : `${whole.slice(0, longestText).toWellFormed()}\n… cut; ${whole.length} characters in all`;
}
