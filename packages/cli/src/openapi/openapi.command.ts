import { copyFile, mkdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { RemitError, upstreamNameSchema } from "@remit/contract";
import type { ApiInspection } from "@remit/server";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { addDrafts, draftText } from "../registry/draft-documents.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { apiDrafts } from "./api-drafts.ts";

type ImportOptions = { name: string; owner: string; baseUrl?: string; registry: string; only?: string[]; dryRun?: true };

export function defineOpenApi(command: Command, run: Run): void {
  command.description("make tools of an HTTP API that OpenAPI 3.0 or 3.1 describes");
  const imported = command
    .command("import <document>")
    .description("write the upstream and its tools into the registry's files; nothing is in force before remit apply")
    .requiredOption("--name <upstream>", "what it is called in Remit")
    .requiredOption("--owner <name>", "the person or team that owns it")
    .option("--base-url <url>", "where it is called (default: the first server that the document names)")
    .option("--registry <folder>", "the folder that has remit.yaml", ".")
    .option("--only <tool...>", "only these operations, by the names of their tools")
    .option("--dry-run", "print what would be written, and write nothing")
    .action((document: string, options: ImportOptions) => run((frame) => importApi(frame, document, options)));
  example(
    imported,
    "remit openapi import crm.yaml --name crm --owner platform",
    "remit openapi import https://api.example.com/openapi.json --name example --owner platform --only getOrder listOrders",
  );
}

async function importApi(frame: Frame, given: string, options: ImportOptions): Promise<number> {
  const name = upstreamNameSchema.safeParse(options.name);
  if (!name.success) throw new RemitError("invalid-request", `--name ${options.name}: ${name.error.issues[0]?.message ?? "is no name"}`);
  const root = await registryRoot(resolve(frame.around.cwd, options.registry));
  const isUrl = /^https?:/i.test(given);
  const file = isUrl ? null : resolve(frame.around.cwd, given);
  const { inspectApi } = await import("@remit/server");
  const api = await inspectApi(file === null ? given : basename(file), {
    rootDir: file === null ? root : dirname(file),
    allow: (frame.around.env["REMIT_OUTBOUND_ALLOW"] ?? "").split(",").filter((range) => range !== ""),
  });
  const chosen = choose(api, options.only);
  // Said in the file, not left to the document: whoever changes the document does not change where calls go.
  const baseUrl = options.baseUrl ?? api.servers[0];
  if (baseUrl === undefined) throw new RemitError("invalid-request", "The document names no server; say where the API is with --base-url.");
  const place = file === null ? { document: given, copy: null } : await placeOf(root, file, options.name);
  const drafts = apiDrafts({ ...api, operations: chosen }, { name: options.name, owner: options.owner, document: place.document, baseUrl });
  const files = [
    { file: `upstreams/${options.name}.yaml`, drafts: [drafts.upstream] },
    ...(drafts.credential === null ? [] : [{ file: `credentials/${options.name}.yaml`, drafts: [drafts.credential] }]),
    { file: `tools/${options.name}.yaml`, drafts: drafts.tools },
  ];
  if (options.dryRun === true) {
    const texts = Object.fromEntries(files.map((each) => [each.file, draftText(each.drafts)]));
    frame.terminal.answer(texts, () => Object.entries(texts).flatMap(([path, text]) => [`# ${path}`, ...text.trimEnd().split("\n"), ""]));
    tellProblems(frame, api);
    return 0;
  }
  const written: { file: string; added: number }[] = [];
  for (const each of files) written.push({ file: each.file, added: await addDrafts(root, each.file, each.drafts) });
  if (place.copy !== null) {
    await mkdir(dirname(place.copy), { recursive: true });
    if (file !== null) await copyFile(file, place.copy);
  }
  const unconfirmed = drafts.tools.flatMap(({ spec }) => (spec["unconfirmed"] === true ? [spec.name] : []));
  frame.terminal.answer({ files: written, tools: chosen.length, unconfirmed, leftOut: api.leftOut, problems: api.problems }, () => [
    ...table(
      chosen,
      [
        { title: "TOOL", value: (row) => `${options.name}__${row.tool}` },
        { title: "EFFECT", value: (row) => (unconfirmed.includes(row.tool) ? "write, to be confirmed" : "read") },
        { title: "CALL", value: (row) => `${row.method} ${row.path}`, cut: true },
      ],
      frame.terminal.columns,
    ),
    ...written.map((each) => (each.added === 0 ? `${each.file} has it already` : `${each.file}: ${each.added} added`)),
  ]);
  tellProblems(frame, api);
  if (unconfirmed.length > 0)
    frame.terminal.say(`next: look at every tool in tools/${options.name}.yaml that says unconfirmed, and delete that line`);
  frame.terminal.say(`next: ${frame.hint(`plan ${options.registry}`)}`);
  return 0;
}

function choose(api: ApiInspection, only: readonly string[] | undefined): ApiInspection["operations"] {
  if (only === undefined) return api.operations;
  return only.map((name) => {
    const found = api.operations.find(({ tool }) => tool === name);
    if (found !== undefined) return found;
    throw new RemitError(
      "not-found",
      `The document has no operation "${name}"; its operations are ${api.operations.map(({ tool }) => tool).join(", ")}.`,
    );
  });
}

function tellProblems(frame: Frame, api: ApiInspection): void {
  for (const { operation, why } of api.leftOut) frame.terminal.warn(`left out ${safeLine(operation)}: ${safeLine(why)}`);
  if (api.problems.length > 0) frame.terminal.warn("The document is not what the specification wants; what can be read was read:");
  for (const problem of api.problems) frame.terminal.warn(`  ${safeLine(problem)}`);
}

async function registryRoot(folder: string): Promise<string> {
  const found = await stat(join(folder, "remit.yaml")).catch(() => null);
  if (found === null)
    throw new RemitError("not-found", `There is no remit.yaml in ${folder}; name the folder that has it with --registry.`);
  return await realpath(folder);
}

/** The server reads the description below the registry's root; one that lies elsewhere is copied there. */
async function placeOf(root: string, file: string, name: string): Promise<{ document: string; copy: string | null }> {
  const real = await realpath(file);
  if (real.startsWith(root + sep)) return { document: relative(root, real).split(sep).join("/"), copy: null };
  const document = `openapi/${name}${/\.json$/i.test(file) ? ".json" : ".yaml"}`;
  return { document, copy: join(root, document) };
}
