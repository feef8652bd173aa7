import { basename } from "node:path";
import { RemitError } from "@remit/contract";
import { secretFault } from "@remit/core";

/** An MCP server as a client's configuration has it. */
export type ConfiguredServer = {
  name: string;
  /** Which project of the configuration it belongs to, where there are several. */
  project: string | null;
  transport:
    | { type: "stdio"; command: string; args: string[]; env: Record<string, string>; cwd: string | null }
    | { type: "http"; url: string; headers: Record<string, string> }
    | { type: "unknown"; why: string };
};

/** What a server is replaced by. */
export type StdioEntry = { command: string; args: string[] };

export type ClientConfig = {
  servers: ConfiguredServer[];
  /** The whole text with those servers replaced and every other character as it was. @throws RemitError where that cannot be done. */
  rewrite(replacements: ReadonlyMap<ConfiguredServer, StdioEntry>): string;
};

/** What is common to every client's way of writing a server down. */
export function readServer(name: string, project: string | null, entry: unknown): ConfiguredServer {
  const unknown = (why: string): ConfiguredServer => ({ name, project, transport: { type: "unknown", why } });
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return unknown("it is no object");
  const { command, args = [], env = {}, cwd = null, url, serverUrl, headers, http_headers: httpHeaders } = entry as Record<string, unknown>;
  const { bearer_token_env_var: tokenVariable, env_http_headers: headerVariables } = entry as Record<string, unknown>;
  const { disabled, enabled, envFile, env_vars: passed, headersHelper } = entry as Record<string, unknown>;
  if (disabled === true || enabled === false) return unknown("it is switched off");
  // What is left out would be missed without a word.
  if (envFile !== undefined || passed !== undefined || headersHelper !== undefined)
    return unknown("part of what it is given stands somewhere else: a file, a program, or the client's own environment");
  const address = url ?? serverUrl;
  if (typeof address === "string") {
    if (tokenVariable !== undefined || headerVariables !== undefined)
      return unknown("its headers come from variables of the client's environment");
    const given = headers ?? httpHeaders ?? {};
    if (!isTexts(given)) return unknown("its headers are no text");
    if ([address, ...Object.values(given)].some(hasPlaceholder)) return unknown("it has placeholders that only the client fills in");
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) return unknown("its address is not http or https");
    if (new URL(address).password !== "") return unknown("its address holds a password");
    return { name, project, transport: { type: "http", url: address, headers: given } };
  }
  if (typeof command !== "string" || command === "") return unknown("it has neither a command nor an address");
  if (!Array.isArray(args) || !args.every((one) => typeof one === "string")) return unknown("its arguments are no list of text");
  if (!isTexts(env)) return unknown("its environment is no text");
  if (Object.keys(env).some((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))) return unknown("its environment has a name that is none");
  if (cwd !== null && typeof cwd !== "string") return unknown("its folder is no text");
  if ([command, ...args, ...Object.values(env), cwd ?? ""].some(hasPlaceholder))
    return unknown("it has placeholders that only the client fills in");
  return { name, project, transport: { type: "stdio", command, args, env, cwd } };
}

/**
 * Whether a server is Remit's own gateway on stdin and stdout: the program itself, or what starts it by its name and nothing besides. A
 * shell may start anything beside it.
 */
export function isRemit({ transport }: ConfiguredServer): boolean {
  if (transport.type !== "stdio") return false;
  const words = [basename(transport.command), ...transport.args];
  if (words[0] === "npx" || words[0] === "node") words.shift();
  while (words[0] === "-y" || words[0] === "--yes") words.shift();
  return basename(words[0] ?? "") === "remit" && words[1] === "mcp" && words[2] === "serve";
}

/** Why a server's command line may not be written down, in words that do not repeat it: no file of a registry may hold a secret. */
export function secretOnCommandLine({ transport }: ConfiguredServer): string | null {
  const { args } = transport.type === "stdio" ? transport : { args: [] };
  for (const [index, arg] of args.entries()) {
    const [, flag, value] = /^(-{1,2}[A-Za-z][\w-]*)=(.*)$/s.exec(arg) ?? [];
    const before = args[index - 1] ?? "";
    const name = flag ?? (/^--?[A-Za-z][\w-]*$/.test(before) && !arg.startsWith("-") ? before : "");
    const fault = secretFault(name, value ?? arg);
    if (fault !== null)
      return `its command line holds a secret (${name === "" ? fault : `${name} ${fault}`}), where every program sees it; give it in its environment`;
  }
  return null;
}

/** `${input:token}`, `${env:HOME}`, `${workspaceFolder}`, `${TOKEN}`. */
function hasPlaceholder(text: string): boolean {
  return /\$\{[^}]*\}/.test(text);
}

function isTexts(value: unknown): value is Record<string, string> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every((one) => typeof one === "string")
  );
}

export function unreadable(why: string): RemitError {
  return new RemitError("invalid-configuration", `The configuration cannot be read: ${why}. Nothing was changed.`);
}
