import { RemitError } from "@remit/contract";

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
  const address = url ?? serverUrl;
  if (typeof address === "string") {
    if (tokenVariable !== undefined || headerVariables !== undefined)
      return unknown("its headers come from variables of the client's environment");
    const given = headers ?? httpHeaders ?? {};
    if (!isTexts(given)) return unknown("its headers are no text");
    if ([address, ...Object.values(given)].some(hasPlaceholder)) return unknown("it has placeholders that only the client fills in");
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) return unknown("its address is not http or https");
    return { name, project, transport: { type: "http", url: address, headers: given } };
  }
  if (typeof command !== "string" || command === "") return unknown("it has neither a command nor an address");
  if (!Array.isArray(args) || !args.every((one) => typeof one === "string")) return unknown("its arguments are no list of text");
  if (!isTexts(env)) return unknown("its environment is no text");
  if (cwd !== null && typeof cwd !== "string") return unknown("its folder is no text");
  if ([command, ...args, ...Object.values(env), cwd ?? ""].some(hasPlaceholder))
    return unknown("it has placeholders that only the client fills in");
  return { name, project, transport: { type: "stdio", command, args, env, cwd } };
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
