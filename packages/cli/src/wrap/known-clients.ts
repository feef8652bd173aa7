import { homedir } from "node:os";
import { join } from "node:path";
import { RemitError } from "@remit/contract";

/** Clients whose configuration is found by the client's name. */
export const clientNames = ["claude-desktop", "claude-code", "cursor", "vscode", "codex"] as const;
export type ClientName = (typeof clientNames)[number];

type Where = { cwd: string; env: Readonly<Record<string, string | undefined>>; platform: NodeJS.Platform };

/** Where a client keeps its configuration, the nearest first. */
export function configPlaces(client: ClientName, { cwd, env, platform }: Where): string[] {
  const home = env["HOME"] ?? env["USERPROFILE"] ?? homedir();
  const appData = env["APPDATA"] ?? join(home, "AppData/Roaming");
  const support =
    platform === "darwin"
      ? join(home, "Library/Application Support")
      : platform === "win32"
        ? appData
        : (env["XDG_CONFIG_HOME"] ?? join(home, ".config"));
  switch (client) {
    case "claude-desktop":
      return [join(support, "Claude/claude_desktop_config.json")];
    case "claude-code":
      return [join(cwd, ".mcp.json"), join(home, ".claude.json")];
    case "cursor":
      return [join(cwd, ".cursor/mcp.json"), join(home, ".cursor/mcp.json")];
    case "vscode":
      return [join(cwd, ".vscode/mcp.json"), join(support, "Code/User/mcp.json")];
    case "codex":
      return [join(env["CODEX_HOME"] ?? join(home, ".codex"), "config.toml")];
  }
}

export function isClientName(text: string): text is ClientName {
  return (clientNames as readonly string[]).includes(text);
}

export function noConfig(client: ClientName, places: readonly string[]): RemitError {
  return new RemitError("not-found", `No configuration of ${client} is here: ${places.join(", ")}. Name its file.`);
}
