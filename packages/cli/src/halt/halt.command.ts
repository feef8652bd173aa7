import { haltScopeSchema, haltViewSchema, RemitError } from "@remit/contract";
import type { HaltMode, HaltReach, HaltScope, HaltView } from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { path } from "../client/http-client.ts";
import { pageSchema } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { ago } from "../terminal/time.ts";

const scopeHelp = "everything, environment:x, agent:x, tool:x, upstream:x or run:x";

export function defineHalt(command: Command, run: Run): void {
  command.description("stop agents now, and let them go on");
  defineSwitch(command, run, "halt");
  example(
    command,
    'remit halt on --reason "refunds look wrong"',
    'remit halt on --scope agent:support-triage --reason "it loops"',
    "remit halt status",
  );
}

export function defineSafeMode(command: Command, run: Run): void {
  command.description("let agents read, and nothing else");
  defineSwitch(command, run, "safe-mode");
  example(command, 'remit safe-mode on --reason "the mail relay is down"');
}

function defineSwitch(command: Command, run: Run, mode: HaltMode): void {
  command
    .command("on")
    .description(mode === "halt" ? "stop now; what is in flight is cancelled" : "refuse everything that is not a read")
    .option("--scope <scope>", scopeHelp, "everything")
    .requiredOption("--reason <text>", "why; everybody who is stopped is told")
    .action((options: { scope: string; reason: string }) => run((frame) => engage(frame, mode, options)));
  command
    .command("off [halt]")
    .description("release; it takes two people, so the first call is half of it")
    .option("--scope <scope>", `which, if not named by its id: ${scopeHelp}`, "everything")
    .requiredOption("--reason <text>", "why it is safe to go on")
    .action((id: string | undefined, options: { scope: string; reason: string }) => run((frame) => release(frame, mode, id, options)));
  command
    .command("status")
    .description("what is halted, since when and why")
    .action(() => run(status));
}

/** `agent:support-triage` as a scope. @throws RemitError `invalid-request` */
export function parseScope(text: string): HaltScope {
  const separator = text.indexOf(":");
  const [type, name] = separator === -1 ? [text, undefined] : [text.slice(0, separator), text.slice(separator + 1)];
  const scope = haltScopeSchema.safeParse(name === undefined ? { type } : { type, name });
  if (scope.success) return scope.data;
  throw new RemitError("invalid-request", `"${text}" is not a scope: expected ${scopeHelp}.`);
}

function scopeText(scope: HaltScope): string {
  return scope.type === "everything" ? "everything" : `${scope.type}:${scope.name}`;
}

async function engage(frame: Frame, mode: HaltMode, options: { scope: string; reason: string }): Promise<number> {
  const scope = parseScope(options.scope);
  const client = await frame.client();
  const started = performance.now();
  const halt = await client.send({
    method: "POST",
    path: "/v1/halts",
    body: { mode, scope, reason: options.reason },
    response: haltViewSchema,
  });
  const words = mode === "halt" ? `Halted ${scopeText(scope)}` : `Safe mode for ${scopeText(scope)}: only reads pass`;
  const { reach } = halt;
  frame.terminal.answer(halt, () => [
    `${words}, ${Math.round(performance.now() - started)} ms after the command. ${halt.id}`,
    ...(reach === undefined ? [] : [`${reachWords(reach)}.`]),
  ]);
  frame.terminal.say(`next: remit ${mode} off ${halt.id} --reason "…" (two people)`);
  if (reach === undefined || reach.missing.length === 0) return 0;
  frame.terminal.say(`Not confirmed by ${reach.missing.map(safeLine).join(", ")}. Look again with: remit ${mode} status`);
  return 3;
}

/** What servers say of how far it has reached. */
function reachWords({ servers, confirmed, confirmedMs, lastStartMs, cancelled }: HaltReach): string {
  const who = `${confirmed} of ${servers} server${servers === 1 ? "" : "s"} confirmed`;
  const when = confirmedMs === null ? "" : ` within ${confirmedMs} ms`;
  const last =
    lastStartMs === null
      ? ""
      : lastStartMs === 0
        ? "; nothing began after the command"
        : `; the last action began ${lastStartMs} ms after it`;
  return `${who}${when}${last}; ${cancelled} cancelled in flight`;
}

async function release(frame: Frame, mode: HaltMode, id: string | undefined, options: { scope: string; reason: string }): Promise<number> {
  const client = await frame.client();
  const halt = id ?? (await onlyHalt(frame, mode, parseScope(options.scope))).id;
  const view = await client.send({
    method: "POST",
    path: path`/v1/halts/${halt}/release`,
    body: { reason: options.reason },
    response: z.looseObject({ ...haltViewSchema.shape, releasedAt: z.string().nullable().optional() }),
  });
  const released = view.releasedAt !== undefined && view.releasedAt !== null;
  frame.terminal.answer(view, () => [
    released
      ? `Released ${scopeText(view.scope)}.`
      : `Asked for by ${view.releaseRequestedBy ?? "you"}. It holds until a second person runs the same.`,
  ]);
  if (!released) frame.terminal.say(`next: somebody else runs: remit ${mode} off ${halt} --reason "…"`);
  return released ? 0 : 5;
}

async function onlyHalt(frame: Frame, mode: HaltMode, scope: HaltScope): Promise<HaltView> {
  const matching = (await readHalts(frame)).filter((halt) => halt.mode === mode && scopeText(halt.scope) === scopeText(scope));
  const [only, ...others] = matching;
  if (only === undefined)
    throw new RemitError(
      "not-found",
      `${mode === "halt" ? "No halt" : "No safe mode"} of ${scopeText(scope)} is in force. See: remit halt status`,
    );
  if (others.length > 0) throw new RemitError("conflict", `Several are in force; name one: ${matching.map((halt) => halt.id).join(", ")}.`);
  return only;
}

async function status(frame: Frame): Promise<number> {
  const halts = await readHalts(frame);
  const now = Date.now();
  frame.terminal.answer({ items: halts }, () =>
    halts.length === 0
      ? ["Nothing is halted."]
      : table(
          halts,
          [
            { title: "HALT", value: (row) => row.id },
            { title: "MODE", value: (row) => row.mode },
            { title: "SCOPE", value: (row) => scopeText(row.scope) },
            { title: "SINCE", value: (row) => ago(row.engagedAt, now) },
            { title: "CONFIRMED", value: ({ reach }) => (reach === undefined ? "" : `${reach.confirmed}/${reach.servers}`) },
            { title: "LAST START", value: ({ reach }) => lastStartWords(reach) },
            { title: "BY", value: (row) => row.engagedBy, cut: true },
            { title: "REASON", value: (row) => row.reason, cut: true },
            { title: "RELEASE ASKED BY", value: (row) => row.releaseRequestedBy ?? "" },
          ],
          frame.terminal.columns,
        ),
  );
  for (const { id, reach } of halts) {
    if (reach !== undefined && reach.missing.length > 0)
      frame.terminal.say(`${id} is not confirmed by ${reach.missing.map(safeLine).join(", ")}`);
  }
  return 0;
}

/** How long after the command the last action began that it covers: the measure of a kill switch. */
function lastStartWords(reach: HaltReach | undefined): string {
  return reach === undefined || reach.lastStartMs === null ? "" : `${reach.lastStartMs} ms`;
}

export async function readHalts(frame: Frame): Promise<HaltView[]> {
  const client = await frame.client();
  const page = await client.send({ path: "/v1/halts", response: pageSchema(haltViewSchema) });
  return page.items;
}
