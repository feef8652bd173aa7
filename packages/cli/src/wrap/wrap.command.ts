import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { meSchema, nameSchema, RemitError, secretViewSchema } from "@remit/contract";
import type { Command } from "commander";
import { configDir } from "../context/context-store.ts";
import { registryDir } from "../context/server-note.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { askServer } from "./ask-server.ts";
import { decodeConfig, readClientConfig } from "./read-client-config.ts";
import { isRemit, secretOnCommandLine } from "./client-config.ts";
import type { ConfiguredServer, StdioEntry } from "./client-config.ts";
import { inferEffect } from "./infer-effect.ts";
import { isWrapped, keepOriginal, replaceFile, restoreOriginal } from "./kept-original.ts";
import { clientNames, isClientName, noConfig } from "./known-clients.ts";
import {
  agentFiles,
  draftFiles,
  environmentOf,
  secretsOf,
  splitTools,
  toolNamesOf,
  upstreamName,
  upstreamsOf,
  writeDrafts,
} from "./registry-drafts.ts";
import type { Draft } from "./registry-drafts.ts";
import { placesOf, scanClients } from "./scan-clients.ts";

type WrapOptions = {
  registry?: string;
  agent?: string;
  accountable?: string;
  server: string[];
  dryRun?: true;
  undo?: true;
  force?: true;
  scan?: true;
};

export function defineWrap(command: Command, run: Run): void {
  const collect = (value: string, previous: string[]) => [...previous, value];
  command
    .description("put the MCP servers of a client's configuration behind Remit, and the client before it")
    .argument("[client or file]", `${clientNames.join(", ")}, or the file of a configuration`)
    .option("--registry <folder>", "where upstreams, tools and the agent are written (default: that of the server here)")
    .option("--agent <name>", "the agent that the client acts as (default: the client's name)")
    .option("--accountable <party>", "who answers for a new agent (default: you)")
    .option("--server <name>", "only this server; repeatable", collect, [])
    .option("--dry-run", "say what would be written, and write nothing")
    .option("--undo", "give the client its configuration back, byte for byte")
    .option("--force", "with --undo: also where the configuration was changed since")
    .option("--scan", "list the MCP servers of all configurations here, and which of them do not go through Remit")
    .action((target: string | undefined, options: WrapOptions) => run((frame) => wrap(frame, target, options)));
  command.addHelpText(
    "after",
    `
Each server is started once and asked for its tools. What each tool does is proposed by its name, never by the server's word alone, and
stands as unconfirmed, which nothing can be applied with, until you have said yes to it here or deleted the line in tools/.
Values of its environment and its headers go to Remit's secrets; they are written into no file of the registry.`,
  );
  example(
    command,
    "remit wrap claude-desktop",
    "remit wrap .cursor/mcp.json --agent cursor --dry-run",
    "remit wrap codex --undo",
    "remit wrap --scan",
  );
}

async function wrap(frame: Frame, target: string | undefined, options: WrapOptions): Promise<number> {
  if (options.scan === true) return await scanClients(frame);
  if (target === undefined)
    throw new RemitError("invalid-request", `Name a client (${clientNames.join(", ")}) or the file of its configuration.`);
  const file = findConfig(frame, target);
  const kept = await keptFolder(frame);
  if (options.undo === true) {
    await restoreOriginal(kept, file, options.force === true);
    frame.terminal.answer({ file, restored: true }, () => [`${file} is as it was.`]);
    frame.terminal.say("What was written into the registry, and the secrets that are kept, stay.");
    return 0;
  }
  if (await isWrapped(kept, file)) throw new RemitError("conflict", `${file} is wrapped already; --undo gives it back as it was.`);
  const original = await readFile(file);
  const config = readClientConfig(file, decodeConfig(original));
  const servers = config.servers.filter((server) => isChosen(server, options.server) && !isRemit(server));
  if (servers.length === 0)
    throw new RemitError(
      "not-found",
      `${file} has no ${options.server.length === 0 ? "" : "such "}MCP server that does not go through Remit.`,
    );
  const root = await registryDir(frame.around, options.registry);
  if (!existsSync(join(root, "remit.yaml")))
    throw new RemitError("not-found", `${root} is no registry: it has no remit.yaml. Name the folder with --registry.`);
  const name = nameSchema.safeParse(options.agent ?? agentName(target));
  if (!name.success) throw new RemitError("invalid-request", "Say with --agent which agent the client acts as.");

  const { drafts, left } = await draftAll(frame, servers, root, dirname(file), options.dryRun === true);
  if (drafts.length === 0)
    throw new RemitError(
      "upstream-unavailable",
      `None of its servers can be wrapped: ${left.map(({ server, why }) => `${server.name}: ${why}`).join("; ")}. Nothing was changed.`,
    );
  const accountable = options.accountable ?? (await whoAmI(frame));
  const environment = await environmentOf(root);
  const agent = await agentFiles(root, {
    name: name.data,
    accountable,
    environment: environment.name,
    tools: drafts.flatMap(toolNamesOf),
  });
  const files = Object.assign({}, environment.files, agent, ...drafts.map((draft) => draftFiles(draft, accountable))) as Record<
    string,
    string
  >;
  const credentials = join(await configDir(frame.around), "agents", `${name.data}.json`);
  const rewritten = Buffer.from(config.rewrite(new Map(drafts.map(({ server, upstream }) => [server, entryOf(upstream, credentials)]))));

  const result = {
    file,
    registry: root,
    agent: name.data,
    wrapped: drafts.map(({ server, upstream, tools, confirmed, secrets }) => ({
      server: server.name,
      upstream,
      tools,
      confirmed,
      secrets: secrets.map(({ path }) => path),
    })),
    left: left.map(({ server, why }) => ({ server: server.name, why })),
    files: Object.keys(files),
    dryRun: options.dryRun === true,
  };
  if (options.dryRun !== true) {
    // Secrets first: a client whose servers lack theirs would be worse off than before. The client's own file last.
    await keepSecrets(frame, drafts);
    await writeDrafts(root, files, new Set([`agents/${name.data}.yaml`]));
    await keepOriginal(kept, file, original, rewritten);
    await replaceFile(file, rewritten);
  }
  frame.terminal.answer(result, () => [
    ...table(
      drafts.flatMap((draft) => draft.tools.map((tool) => ({ ...tool, upstream: draft.upstream, confirmed: draft.confirmed }))),
      [
        { title: "UPSTREAM", value: (row) => row.upstream },
        { title: "TOOL", value: (row) => row.name },
        { title: "EFFECT", value: (row) => row.effect },
        { title: "", value: (row) => (row.confirmed ? "confirmed" : "unconfirmed") },
        { title: "WHY", value: (row) => row.why, cut: true },
      ],
      frame.terminal.columns,
    ),
    ...left.map(({ server, why }) => safeLine(`left as it is: ${server.name} (${why})`)),
    `${options.dryRun === true ? "Would write" : "Wrote"} ${Object.keys(files).join(", ")} in ${root}${options.dryRun === true ? ", and rewrite" : ", and rewrote"} ${file}.`,
  ]);
  for (const { upstream, unnameable } of drafts) {
    if (unnameable.length > 0)
      frame.terminal.warn(safeLine(`${upstream} has tools that cannot be named here, and are left out: ${unnameable.join(", ")}`));
  }
  if (options.dryRun !== true) {
    frame.terminal.say(`next, look at ${root}/tools, and then:`);
    for (const line of [
      frame.hint(`apply ${root}`),
      `mkdir -p ${dirname(credentials)} && (umask 077; ${frame.hint(`agents secret new ${name.data} --json`)} > ${credentials})`,
      `and start the client anew. To take it back: ${frame.hint(`wrap ${file} --undo`)}`,
    ])
      frame.terminal.say(`  ${line}`);
  }
  return left.length === 0 ? 0 : 1;
}

type Left = { server: ConfiguredServer; why: string };

async function draftAll(
  frame: Frame,
  servers: readonly ConfiguredServer[],
  root: string,
  cwd: string,
  dryRun: boolean,
): Promise<{ drafts: Draft[]; left: Left[] }> {
  const taken = await upstreamsOf(root);
  const drafts: Draft[] = [];
  const left: Left[] = [];
  for (const server of servers) {
    const why = server.transport.type === "unknown" ? server.transport.why : secretOnCommandLine(server);
    if (why !== null) {
      left.push({ server, why });
      continue;
    }
    frame.terminal.say(safeLine(`asking ${server.name} which tools it has …`));
    try {
      const { named, unnameable } = splitTools(await askServer(server, cwd));
      if (named.length === 0) {
        left.push({ server, why: "it has no tools" });
        continue;
      }
      const upstream = upstreamName(server.name, taken);
      taken.add(upstream);
      const tools = named.map((tool) => ({ name: tool.name, ...inferEffect(tool) }));
      drafts.push({
        server,
        upstream,
        tools,
        unnameable,
        confirmed: dryRun ? false : await confirmed(frame, upstream, tools),
        secrets: secretsOf(upstream, server),
      });
    } catch (error) {
      if (RemitError.is(error)) throw error;
      left.push({ server, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { drafts, left };
}

/** Where nobody can be asked, nothing is confirmed: the files say so, and a person deletes the lines. */
async function confirmed(frame: Frame, upstream: string, tools: Draft["tools"]): Promise<boolean> {
  if (!frame.terminal.interactive && !frame.settings.yes) return false;
  for (const { name, effect, why } of tools) frame.terminal.say(safeLine(`  ${effect.padEnd(6)} ${name}  (${why})`));
  return await frame.confirm(`Does each of these tools of ${upstream} do what is said?`);
}

async function keepSecrets(frame: Frame, drafts: readonly Draft[]): Promise<void> {
  const secrets = drafts.flatMap((draft) => draft.secrets);
  if (secrets.length === 0) return;
  const client = await frame.client();
  for (const { path, value } of secrets) {
    await client.send({ method: "POST", path: "/v1/secrets", body: { path, value }, response: secretViewSchema });
  }
}

async function whoAmI(frame: Frame): Promise<string> {
  const client = await frame.client();
  return (await client.send({ path: "/v1/me", response: meSchema.omit({ csrf: true }) })).party;
}

function findConfig(frame: Frame, target: string): string {
  if (!isClientName(target)) {
    const file = resolve(frame.around.cwd, target);
    if (!existsSync(file)) throw new RemitError("not-found", `There is no ${file}, and no client is called so: ${clientNames.join(", ")}.`);
    return file;
  }
  const places = placesOf(frame, target);
  const file = places.find((place) => existsSync(place));
  if (file === undefined) throw noConfig(target, places);
  return file;
}

function agentName(target: string): string {
  if (isClientName(target)) return target;
  const name = basename(target).toLowerCase();
  if (name === "config.toml") return "codex";
  if (name.startsWith("claude_desktop")) return "claude-desktop";
  if (name === ".mcp.json" || name === ".claude.json") return "claude-code";
  const folder = basename(dirname(resolve(target))).replace(/^\./, "");
  return isClientName(folder) ? folder : "client";
}

function isChosen({ name }: ConfiguredServer, chosen: readonly string[]): boolean {
  return chosen.length === 0 || chosen.includes(name);
}

function entryOf(upstream: string, credentials: string): StdioEntry {
  // Clients start their servers with a PATH of their own: this very program is named by where it is.
  return {
    command: resolve(import.meta.dirname, "../../bin/remit"),
    args: ["mcp", "serve", "--upstream", upstream, "--credentials", credentials],
  };
}

async function keptFolder(frame: Frame): Promise<string> {
  return join(await configDir(frame.around), "wrapped");
}
