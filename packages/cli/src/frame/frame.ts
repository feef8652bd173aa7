import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";
import { createHttpClient } from "../client/http-client.ts";
import type { HttpClient } from "../client/http-client.ts";
import { defaultContext, findDataDir, readContexts } from "../context/context-store.ts";
import { readServerNote } from "../context/server-note.ts";
import { confirm } from "../terminal/confirm.ts";
import type { Surroundings, Terminal } from "../terminal/terminal.ts";

/** The options that every command takes. */
export type Settings = { json: boolean; quiet: boolean; yes: boolean; context?: string; url?: string };

/** What a command works with. */
export type Frame = {
  around: Surroundings;
  terminal: Terminal;
  settings: Settings;
  /** The server, as the person of the chosen context. */
  client(): Promise<HttpClient>;
  /** The server, as whoever owns the data folder. */
  machineClient(): Promise<HttpClient>;
  /** Name of the chosen context. */
  contextName: string;
  /** A command to suggest, as it has to be typed here to reach the same server as the same person: `hint("approvals list")`. */
  hint: (words: string) => string;
  /** A yes from a person, or `--yes`. */
  confirm(question: string): Promise<boolean>;
};

const defaultUrl = "http://127.0.0.1:7447";

export function createFrame(around: Surroundings, terminal: Terminal, settings: Settings): Frame {
  const contextName = settings.context ?? around.env["REMIT_CONTEXT"] ?? defaultContext;
  return {
    around,
    terminal,
    settings,
    contextName,
    hint: (words) => typed(around, words, settings.context),
    async client() {
      const context = (await readContexts(around))[contextName];
      if (context === undefined && settings.context !== undefined) {
        throw new RemitError("unauthenticated", `There is no context "${contextName}" here.`);
      }
      const named = settings.url ?? around.env["REMIT_URL"];
      // A session goes to the server that gave it, whatever address is named.
      if (context !== undefined && (named === undefined || sameOrigin(named, context.url))) {
        return createHttpClient(context.url, { type: "session", token: context.token });
      }
      // Before anybody can log in, whoever owns the data folder may do what has to be done first: apply the registry.
      if (context === undefined && named === undefined && (await hasMachineKey(around))) return machineClient();
      return createHttpClient(named ?? (await readServerNote(around))?.url ?? defaultUrl, { type: "none" });
    },
    machineClient,
    async confirm(question) {
      if (settings.yes) return true;
      return confirm(around, terminal, question, "--yes");
    },
  };

  /** The key is for the server of this data folder alone, so its own note of where that is comes before any other. */
  async function machineClient(): Promise<HttpClient> {
    const dataDir = await findDataDir(around);
    if (dataDir === null) {
      const message = "No data folder (.remit) here or above; only whoever owns it can do this. Go there, or set REMIT_DATA_DIR.";
      throw new RemitError("unauthenticated", message);
    }
    // Never to whatever else happens to listen where a server usually does.
    const url = (await readServerNote(around))?.url ?? settings.url;
    if (url === undefined) throw new RemitError("server-unavailable", `No server is running for the data folder ${dataDir}.`);
    return createHttpClient(url, { type: "machine", key: await readMachineKey(dataDir) });
  }
}

async function hasMachineKey(around: Surroundings): Promise<boolean> {
  const dataDir = await findDataDir(around);
  return dataDir !== null && existsSync(join(dataDir, "machine.key"));
}

async function readMachineKey(dataDir: string): Promise<string> {
  const file = join(dataDir, "machine.key");
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    throw new RemitError(
      "unauthenticated",
      `Cannot read ${file}: start the server here once (remit up), or run this as the folder's owner.`,
      { cause: error },
    );
  }
}

/** Who started this with npx has no `remit` on the PATH. */
function typed(around: Surroundings, words: string, context: string | undefined): string {
  const viaNpx = around.env["npm_command"] === "exec";
  return `${viaNpx ? "npx " : ""}remit ${words}${context === undefined ? "" : ` --context ${context}`}`;
}

function sameOrigin(left: string, right: string): boolean {
  try {
    return new URL(left).origin === new URL(right).origin;
  } catch {
    return false;
  }
}
