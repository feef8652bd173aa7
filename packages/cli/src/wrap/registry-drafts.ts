import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { statSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { qualifiedToolName, RemitError, toolNameSchema, upstreamNameSchema } from "@remit/contract";
import type { Effect } from "@remit/contract";
import { secretFault } from "@remit/core";
import { parseAllDocuments, parseDocument, stringify, YAMLSeq } from "yaml";
import type { ListedTool } from "./ask-server.ts";
import type { ConfiguredServer } from "./client-config.ts";

export type DraftTool = { name: string; effect: Effect; why: string };

/** A server on its way into the registry. */
export type Draft = {
  server: ConfiguredServer;
  upstream: string;
  tools: DraftTool[];
  /** Left out, for a registry cannot name them. */
  unnameable: string[];
  confirmed: boolean;
  /** What it is shown in place of the values that stood in the client's configuration: the credential, its use, and the value. */
  secrets: DraftSecret[];
};

export type DraftSecret = { credential: string; path: string; use: { type: "env" | "header" | "query"; name: string }; value: string };

/** Values that are no secret whatever they are called. */
const plain =
  /^(?:|true|false|yes|no|on|off|none|null|debug|info|warn|error|development|production|test|\d{1,6}|[A-Za-z]{1,5}|(?:\.{0,2}|~)?\/[^\s:@]*|https?:\/\/[\w.-]+(?::\d+)?(?:\/[\w./-]*)?)$/i;

/** The name of an upstream that a server becomes. */
export function upstreamName(server: string, taken: ReadonlySet<string>): string {
  const base =
    server
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 50) || "server";
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!taken.has(name) && upstreamNameSchema.safeParse(name).success) return name;
  }
}

export function splitTools(tools: readonly ListedTool[]): { named: ListedTool[]; unnameable: string[] } {
  const isNamed = ({ name }: ListedTool) => toolNameSchema.safeParse(name).success && !name.startsWith("mcp.");
  return { named: tools.filter(isNamed), unnameable: tools.filter((tool) => !isNamed(tool)).map(({ name }) => name) };
}

/** Values that go to the broker: all but what is plainly none. A secret in a repository is there for good. */
export function secretsOf(upstream: string, { transport }: ConfiguredServer): DraftSecret[] {
  if (transport.type === "unknown") return [];
  const all: { type: "env" | "header" | "query"; name: string; value: string }[] =
    transport.type === "stdio"
      ? Object.entries(transport.env).map(([name, value]) => ({ type: "env", name, value }))
      : [
          ...Object.entries(transport.headers).map(([name, value]) => ({ type: "header" as const, name, value })),
          ...[...new URL(transport.url).searchParams].map(([name, value]) => ({ type: "query" as const, name, value })),
        ];
  const isKept = {
    env: (_: string, value: string) => !plain.test(value),
    header: () => true,
    query: (name: string, value: string) => secretFault(name, value) !== null,
  };
  return all
    .filter(({ type, name, value }) => isKept[type](name, value))
    .map(({ type, name, value }) => {
      const slug =
        name
          .toLowerCase()
          .replace(/[^a-z0-9]+/g, "-")
          .replace(/^-+|-+$/g, "") || "value";
      return { credential: `${upstream}-${slug}`.slice(0, 64).replace(/-+$/, ""), path: `${upstream}/${slug}`, use: { type, name }, value };
    });
}

/** Which files of the registry a draft becomes. */
export function draftFiles(draft: Draft, owner: string): Record<string, string> {
  const { server, upstream, tools, secrets, confirmed } = draft;
  const credentials = secrets.map(({ credential, path, use }) => ({
    kind: "credential",
    name: credential,
    owner,
    from: { type: "secret", secret: path },
    use,
  }));
  return {
    [`upstreams/${upstream}.yaml`]: stringify({
      kind: "upstream",
      name: upstream,
      owner,
      transport: transportOf(server, secrets),
      ...(secrets.length === 0 ? {} : { credential: secrets.map(({ credential }) => credential) }),
    }),
    [`tools/${upstream}.yaml`]: [
      "# Remit trusts nobody's word for what a tool does: look at each effect.",
      ...(confirmed ? [] : ["# Nothing can be applied while a tool is unconfirmed: correct it where it is wrong, then delete that line."]),
      tools.map((tool) => toolText(upstream, tool, owner, confirmed)).join("---\n"),
    ].join("\n"),
    ...(credentials.length === 0 ? {} : { [`credentials/${upstream}.yaml`]: credentials.map((one) => stringify(one)).join("---\n") }),
  };
}

function toolText(upstream: string, { name, effect, why }: DraftTool, owner: string, confirmed: boolean): string {
  const text = stringify({
    kind: "tool",
    upstream,
    name,
    effect,
    reversibility: effect === "read" ? "reversible" : "none",
    sensitivity: "internal",
    owner,
    ...(confirmed ? {} : { unconfirmed: true }),
  });
  return confirmed ? text : text.replace(/^effect: .*$/m, (line) => `${line} # ${why}`);
}

function transportOf({ transport }: ConfiguredServer, secrets: readonly DraftSecret[]): Record<string, unknown> {
  if (transport.type === "http") {
    const url = new URL(transport.url);
    const shown = secrets.filter(({ use }) => use.type === "query");
    if (shown.length === 0) return { type: "http", url: transport.url };
    for (const { use } of shown) url.searchParams.delete(use.name);
    return { type: "http", url: url.href };
  }
  if (transport.type === "unknown") throw new Error("a server that is not understood is not wrapped");
  const kept = new Set(secrets.map(({ use }) => use.name));
  const env = Object.fromEntries(Object.entries(transport.env).filter(([name]) => !kept.has(name)));
  return {
    type: "stdio",
    command: transport.command,
    ...(transport.args.length === 0 ? {} : { args: transport.args }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(transport.cwd === null ? {} : { cwd: transport.cwd }),
    sandbox: sandboxOf(transport.command, transport.args),
  };
}

/**
 * What a server needs that ran uncontained until now: the network, and to write where its command line points. Narrower is better, and is
 * for whoever knows the server.
 */
function sandboxOf(command: string, args: readonly string[]): Record<string, unknown> {
  const program = basename(command).replace(/\.(cmd|exe)$/, "");
  // A container has its own walls, and its client needs the daemon's socket.
  if (program === "docker" || program === "podman") return { mode: "off" };
  const caches: Record<string, string[]> = {
    npx: ["~/.npm"],
    npm: ["~/.npm"],
    bunx: ["~/.bun"],
    uvx: ["~/.cache/uv", "~/.local/share/uv"],
    uv: ["~/.cache/uv"],
  };
  const named = args.filter((one) => isAbsolute(one) && statSync(one, { throwIfNoEntry: false })?.isDirectory() === true);
  const write = [...(caches[program] ?? []), ...named];
  return { network: "open", ...(write.length === 0 ? {} : { write }) };
}

export type AgentDraft = { name: string; accountable: string; environment: string; tools: string[] };

/** The agent that a client acts as: a new one, or the one that is there with more tools. */
export async function agentFiles(root: string, agent: AgentDraft): Promise<Record<string, string>> {
  const file = `agents/${agent.name}.yaml`;
  const known = await readFile(join(root, file), "utf8").catch(() => null);
  if (known !== null) {
    const document = parseDocument(known);
    const tools = document.get("tools");
    if (document.errors.length > 0 || !(tools instanceof YAMLSeq))
      throw new RemitError("invalid-configuration", `${file} has no list of tools that more can be added to.`);
    const has = new Set(tools.toJSON() as string[]);
    for (const tool of agent.tools) if (!has.has(tool)) tools.add(tool);
    return { [file]: document.toString() };
  }
  return {
    [file]: stringify({
      kind: "agent",
      name: agent.name,
      purpose: `Works in ${agent.name}, with a person in front of it`,
      accountable: agent.accountable,
      tier: 2,
      policies: ["wrapped"],
      environments: [agent.environment],
      tools: agent.tools,
      constraints: {},
    }),
    ...((await exists(join(root, "policies/wrapped/policy.yaml")))
      ? {}
      : {
          "policies/wrapped/policy.yaml": stringify({
            kind: "policy",
            name: "wrapped",
            description: "What clients may do whose MCP servers were put behind Remit",
            owner: agent.accountable,
          }),
          "policies/wrapped/grants.cedar": `// Reading is let through. Whatever changes something is refused until a policy grants it:
// docs/policies.md says how, also with the approval of a team.
@id("wrapped.read")
permit (principal, action in Remit::Action::"read", resource);
`,
        }),
  };
}

/** The environment that a client acts in: the first of those for development, else the first; else one is made. */
export async function environmentOf(root: string): Promise<{ name: string; files: Record<string, string> }> {
  const found: { name: string; type: string }[] = [];
  for (const file of await readdir(join(root, "environments")).catch(() => [])) {
    if (!/\.ya?ml$/.test(file)) continue;
    for (const document of parseAllDocuments(await readFile(join(root, "environments", file), "utf8"))) {
      const { name, type } = (document.toJSON() ?? {}) as { name?: unknown; type?: unknown };
      if (typeof name === "string" && typeof type === "string") found.push({ name, type });
    }
  }
  const [chosen] = [...found.filter(({ type }) => type === "dev"), ...found];
  if (chosen !== undefined) return { name: chosen.name, files: {} };
  return { name: "desktop", files: { "environments/desktop.yaml": stringify({ kind: "environment", name: "desktop", type: "dev" }) } };
}

/** Upstreams that the registry has already. */
export async function upstreamsOf(root: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (const file of await readdir(join(root, "upstreams")).catch(() => [])) {
    for (const document of parseAllDocuments(await readFile(join(root, "upstreams", file), "utf8"))) {
      const { name } = (document.toJSON() ?? {}) as { name?: unknown };
      if (typeof name === "string") names.add(name);
    }
  }
  return names;
}

/** Writes files that are new; the agent's alone may be there already. */
export async function writeDrafts(root: string, files: Readonly<Record<string, string>>, replaced: ReadonlySet<string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    try {
      await writeFile(file, text, { flag: replaced.has(path) ? "w" : "wx" });
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST")
        throw new RemitError("conflict", `${path} is in the registry already; move it away, or name another registry.`, { cause: error });
      throw error;
    }
  }
}

export function toolNamesOf({ upstream, tools }: Draft): string[] {
  return tools.map(({ name }) => qualifiedToolName(upstream, name));
}

async function exists(file: string): Promise<boolean> {
  return (await readFile(file).catch(() => null)) !== null;
}
