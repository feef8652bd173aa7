import { isDeepStrictEqual } from "node:util";
import { parse } from "smol-toml";
import type { ClientConfig, StdioEntry } from "./client-config.ts";
import { readServer, unreadable } from "./client-config.ts";

/** Codex: `[mcp_servers.<name>]`. Only the lines of a server's own tables are touched, and the result is read again to prove it. */
export function tomlConfig(text: string): ClientConfig {
  const root = read(text);
  const servers = Object.entries(serversOf(root)).map(([name, entry]) => readServer(name, null, entry));
  return {
    servers,
    rewrite(replacements) {
      let changed = text;
      const wanted = structuredClone(root);
      for (const [{ name }, entry] of replacements) {
        changed = replaceTables(changed, name, entry);
        serversOf(wanted)[name] = { command: entry.command, args: entry.args };
      }
      if (!isDeepStrictEqual(structuredClone(readOrNull(changed)), wanted))
        throw unreadable("its servers are not written as [mcp_servers.<name>] tables of their own");
      return changed;
    },
  };
}

/** The first table of the server becomes the new one; its other tables go. Everything between other headers stays. */
function replaceTables(text: string, name: string, { command, args }: StdioEntry): string {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const kept: string[] = [];
  let inside = false;
  let placed = false;
  for (const line of text.split(newline)) {
    const header = headerOf(line);
    if (header !== null) inside = header[0] === "mcp_servers" && header[1] === name;
    if (!inside) {
      kept.push(line);
      continue;
    }
    if (placed) continue;
    placed = true;
    kept.push(`[mcp_servers.${/^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name)}]`);
    kept.push(`command = ${JSON.stringify(command)}`, `args = [${args.map((one) => JSON.stringify(one)).join(", ")}]`, "");
  }
  return kept.join(newline);
}

/** The keys of a table's header, read by the parser that reads everything else. Null: no header. */
function headerOf(line: string): string[] | null {
  if (!/^\s*\[(?!\[)/.test(line)) return null;
  try {
    const keys: string[] = [];
    let value: unknown = parse(line);
    while (isTable(value)) {
      const [key] = Object.keys(value);
      if (key === undefined) break;
      keys.push(key);
      value = value[key];
    }
    return keys;
  } catch {
    return null;
  }
}

function serversOf(root: Record<string, unknown>): Record<string, unknown> {
  const servers = root["mcp_servers"] ?? {};
  if (!isTable(servers)) throw unreadable("mcp_servers is no table");
  return servers;
}

function read(text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    throw unreadable(error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error));
  }
}

function readOrNull(text: string): Record<string, unknown> | null {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
