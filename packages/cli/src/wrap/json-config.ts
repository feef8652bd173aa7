import { applyEdits, modify, parse, printParseErrorCode } from "jsonc-parser";
import type { ParseError } from "jsonc-parser";
import type { ClientConfig, ConfiguredServer, StdioEntry } from "./client-config.ts";
import { readServer, unreadable } from "./client-config.ts";

type Place = { path: (string | number)[]; project: string | null };

/** Claude Desktop, Claude Code and Cursor (`mcpServers`, also per project), and VS Code (`servers`), comments allowed. */
export function jsonConfig(text: string): ClientConfig {
  const root = read(text);
  const places: Place[] = [{ path: ["mcpServers"], project: null }];
  // VS Code's file has `servers` at its root, and its settings have them under `mcp`.
  if (!isObject(root["mcpServers"])) places.push({ path: ["servers"], project: null }, { path: ["mcp", "servers"], project: null });
  if (isObject(root["projects"])) {
    for (const project of Object.keys(root["projects"])) places.push({ path: ["projects", project, "mcpServers"], project });
  }
  const found = new Map<ConfiguredServer, (string | number)[]>();
  for (const { path, project } of places) {
    const servers = path.reduce<unknown>((value, key) => (isObject(value) ? value[String(key)] : undefined), root);
    if (!isObject(servers)) continue;
    for (const [name, entry] of Object.entries(servers)) found.set(readServer(name, project, entry), [...path, name]);
  }
  return {
    servers: [...found.keys()],
    rewrite(replacements) {
      const newline = text.includes("\r\n") ? "\r\n" : "\n";
      const indent = /^([ \t]+)"/m.exec(text)?.[1] ?? "  ";
      const formattingOptions = {
        insertSpaces: !indent.startsWith("\t"),
        tabSize: indent.startsWith("\t") ? 1 : indent.length,
        eol: newline,
      };
      let changed = text;
      for (const [server, entry] of replacements) {
        const path = found.get(server);
        if (path === undefined) throw new Error("this server is of another configuration");
        const vscode = path[0] === "servers" || path[0] === "mcp";
        changed = applyEdits(changed, modify(changed, path, entryOf(entry, vscode), { formattingOptions }));
      }
      return changed;
    },
  };
}

function entryOf({ command, args }: StdioEntry, vscode: boolean): Record<string, unknown> {
  return vscode ? { type: "stdio", command, args } : { command, args };
}

function read(text: string): Record<string, unknown> {
  const errors: ParseError[] = [];
  const value = parse(text.replace(/^\uFEFF/, ""), errors, { allowTrailingComma: true }) as unknown;
  const [error] = errors;
  if (error !== undefined) throw unreadable(`${printParseErrorCode(error.error)} at character ${error.offset}`);
  if (!isObject(value)) throw unreadable("it is no JSON object");
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
