import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { loginLinkSchema, partySpecSchema, RemitError } from "@remit/contract";
import type { Command } from "commander";
import { createHttpClient } from "../client/http-client.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { chosenDataDir } from "./data-dir.ts";
import { asked, serve } from "./serve.ts";

type UpOptions = {
  dataDir?: string;
  host: string;
  port: string;
  publicUrl?: string;
  registry?: string;
  as?: string;
  logLevel: string;
  drainNotice: string;
  drainLimit: string;
};

export function defineUp(command: Command, run: Run): void {
  command
    .description("start a server here and serve until Ctrl-C; a second Ctrl-C does not wait")
    .option("--data-dir <folder>", "where its data is (default: REMIT_DATA_DIR, else .remit here)")
    .option("--host <address>", "listen on", "127.0.0.1")
    .option("--port <port>", "listen on; 0 takes a free one", "7447")
    .option("--public-url <url>", "how others reach it, where a balancer or proxy stands before it (default: REMIT_PUBLIC_URL)")
    .option("--registry <folder>", "where upstreams' and workflows' relative folders start")
    .option("--as <party>", "print a one-time link for this person")
    .option("--log-level <level>", "error, warn, info, debug", "warn")
    .option("--drain-notice <seconds>", "after SIGTERM, how long it goes on answering while /readyz says that it goes", "2")
    .option("--drain-limit <seconds>", "after that, how long what is executing may take to end before it is cancelled", "20")
    .action((options: UpOptions) => run((frame) => up(frame, options)));
  example(command, "remit up", "remit up --registry examples/support --as dana");
}

async function up(frame: Frame, options: UpOptions): Promise<void> {
  const { around, terminal } = frame;
  const interruption = around.interruption();
  const port = /^\d+$/.test(options.port) ? Number(options.port) : Number.NaN;
  if (!(port >= 0 && port <= 65_535)) throw new RemitError("invalid-request", "--port is a number from 0 to 65535.");
  if (options.as !== undefined && !partySpecSchema.shape.name.safeParse(options.as).success) {
    throw new RemitError("invalid-request", `"${options.as}" is no name of a party.`);
  }
  const drainLimits = {
    noticeMs: milliseconds("--drain-notice", options.drainNotice),
    limitMs: milliseconds("--drain-limit", options.drainLimit),
  };
  const databaseUrl = around.env["DATABASE_URL"];
  const publicUrl = originOf(options.publicUrl ?? around.env["REMIT_PUBLIC_URL"]);
  const serving = await serve({
    dataDir: chosenDataDir(around, options.dataDir),
    host: options.host,
    port,
    registryDir: options.registry === undefined ? null : resolve(around.cwd, options.registry),
    logLevel: options.logLevel,
    ...(databaseUrl === undefined || databaseUrl === "" ? {} : { databaseUrl }),
    ...(publicUrl === null ? {} : { publicUrl }),
  });
  try {
    const link = options.as === undefined ? null : await makeLink(serving, options.as);
    terminal.answer({ type: "ready", url: serving.url, link }, () => [
      `Remit listens on ${serving.url}`,
      ...(link === null ? ["Make a login link with: remit link <party>"] : [`Log in (works once): ${link}`]),
    ]);
    await asked(interruption.asked);
    terminal.say("Stopping; Ctrl-C again does not wait.");
  } finally {
    // An orchestrator asks politely, and has told nobody yet. A person at the terminal means now.
    const drains = interruption.asked.reason === "SIGTERM";
    await Promise.race([serving.stop(drains ? drainLimits : undefined), asked(interruption.insisted)]);
  }
}

/** @throws RemitError `invalid-request` */
function milliseconds(option: string, text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds >= 0 && seconds <= 3_600) return seconds * 1_000;
  throw new RemitError("invalid-request", `${option} is a number of seconds, at most 3600, not "${text}".`);
}

/** Tokens name it as their audience, so it is the same on all servers that share a database. @throws RemitError `invalid-request` */
function originOf(text: string | undefined): string | null {
  if (text === undefined || text === "") return null;
  const url = URL.parse(text);
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:") && url.href === `${url.origin}/`) return url.origin;
  throw new RemitError("invalid-request", `--public-url is an address like https://remit.example, without a path, not "${text}".`);
}

async function makeLink(serving: { localUrl: string; machineKeyFile: string }, party: string): Promise<string> {
  const key = (await readFile(serving.machineKeyFile, "utf8")).trim();
  const client = createHttpClient(serving.localUrl, { type: "machine", key });
  return (await client.send({ method: "POST", path: "/v1/links", body: { party }, response: loginLinkSchema })).url;
}
