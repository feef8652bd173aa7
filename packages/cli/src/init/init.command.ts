import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { nameSchema, organisationSpecSchema, RemitError } from "@remit/contract";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { goldenPath } from "./golden-path.ts";

type InitOptions = {
  organisation?: string;
  trustDomain?: string;
  timeZone?: string;
  person?: string;
  colleague: string;
  dryRun?: true;
};

export function defineInit(command: Command, run: Run): void {
  command
    .argument("[folder]", "where remit.yaml is to be", ".")
    .requiredOption("--colleague <name>", "a second person: nobody alone approves what their own agent wants")
    .option("--person <name>", "you, who answer for the first agent (default: your name on this machine)")
    .option("--organisation <name>", "(default: the folder's name)")
    .option("--trust-domain <domain>", "of the agents' identities (default: <organisation>.internal)")
    .option("--time-zone <zone>", "in which days are counted (default: that of this machine)")
    .option("--dry-run", "say what would be written, and write nothing")
    .description("write a small registry that is whole: people, a team to ask, a guard, and one agent with tested policies")
    .action((folder: string, options: InitOptions) => run((frame) => init(frame, folder, options)));
  example(command, "remit init governance --person ada --colleague ben", "remit init . --colleague ben --dry-run --json");
}

async function init(frame: Frame, folder: string, options: InitOptions): Promise<void> {
  const root = resolve(frame.around.cwd, folder);
  const organisation = nameOf(options.organisation ?? slug(basename(root)), "--organisation");
  const person = nameOf(options.person ?? slug(frame.around.env["USER"] ?? frame.around.env["USERNAME"] ?? ""), "--person");
  const colleague = nameOf(options.colleague, "--colleague");
  if (person === colleague) throw new RemitError("invalid-request", "--colleague is somebody else than you: two people have to be there.");
  const chosen = {
    organisation,
    person,
    colleague,
    trustDomain: trustDomainOf(options.trustDomain ?? `${organisation.replaceAll("_", "-")}.internal`),
    timeZone: timeZoneOf(options.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone),
  };
  const files = goldenPath(chosen);
  const taken = Object.keys(files).filter((file) => existsSync(join(root, file)));
  if (taken.length > 0) {
    throw new RemitError("conflict", `${root} has ${taken.join(", ")} already; nothing was written. Name an empty folder.`);
  }
  if (options.dryRun !== true) {
    for (const [file, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      // Never over what somebody has put there in the meantime.
      await writeFile(join(root, file), text, { flag: "wx" });
    }
  }
  frame.terminal.answer({ folder: root, ...chosen, files: Object.keys(files), dryRun: options.dryRun === true }, () => [
    `${options.dryRun === true ? "Would write" : "Wrote"} into ${root}:`,
    ...Object.keys(files).map((file) => `  ${file}`),
  ]);
  if (options.dryRun !== true) frame.terminal.say(`next, with a server that runs here: ${frame.hint(`plan ${folder}`)}`);
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 64);
}

function nameOf(text: string, option: string): string {
  const name = nameSchema.safeParse(text);
  if (name.success) return name.data;
  throw new RemitError("invalid-request", `${option} has to be lower-case letters, digits and single - or _ between them.`);
}

function trustDomainOf(text: string): string {
  const domain = organisationSpecSchema.shape.organisation.shape.trustDomain.safeParse(text);
  if (domain.success) return domain.data;
  throw new RemitError("invalid-request", "--trust-domain has to be a domain in lower case.");
}

function timeZoneOf(text: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone;
  } catch (cause) {
    throw new RemitError("invalid-request", "--time-zone has to be a zone of IANA, such as Europe/Berlin.", { cause });
  }
}
