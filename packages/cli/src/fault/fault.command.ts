import { addFaultSchema, faultKindSchema, faultViewSchema, RemitError } from "@remit/contract";
import type { FaultView } from "@remit/contract";
import type { Command } from "commander";
import { path, query } from "../client/http-client.ts";
import { pageSchema } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { table } from "../terminal/table.ts";
import { ago } from "../terminal/time.ts";

type AddOptions = {
  environment: string;
  upstream: string;
  tool?: string;
  kind: string;
  rate: string;
  delay: string;
  for: string;
  reason: string;
};

export function defineFault(command: Command, run: Run): void {
  command.description("break upstreams on purpose, for a while, to see what agents make of it");
  example(command, "remit fault list", "remit fault confirm flt_0190…", "remit fault rm flt_0190…");
  const add = command
    .command("add")
    .description("inject a fault; in production it does nothing before a second person confirms it")
    .requiredOption("--environment <name>", "where; it reaches no call from elsewhere")
    .requiredOption("--upstream <name>", "whose calls")
    .option("--tool <name>", "only this tool, by its upstream's own name")
    .requiredOption("--kind <kind>", faultKindSchema.options.join(", "))
    .option("--rate <share>", "the share of calls that meet it, above 0 and up to 1", "1")
    .option("--delay <duration>", "of slow: how much later it answers", "2s")
    .option("--for <duration>", "it ends by itself after this, at most a day: 90s, 10m, 2h", "10m")
    .requiredOption("--reason <text>", "why, for the record")
    .action((options: AddOptions) => run((frame) => addFault(frame, options)));
  example(add, 'remit fault add --environment staging --upstream crm --kind timeout --rate 0.5 --for 10m --reason "game day 4"');
  command
    .command("confirm <fault>")
    .description("be the second person for a fault in production")
    .action((id: string) => run((frame) => change(frame, "POST", path`/v1/faults/${id}/confirm`)));
  command
    .command("rm <fault...>")
    .description("end faults now")
    .action((ids: string[]) =>
      run(async (frame) => {
        for (const id of ids) await change(frame, "DELETE", path`/v1/faults/${id}`);
      }),
    );
  command
    .command("list")
    .description("the faults that are injected now")
    .option("--all", "also those that are over")
    .action((options: { all?: true }) => run((frame) => listFaults(frame, options.all === true)));
}

async function addFault(frame: Frame, options: AddOptions): Promise<number> {
  const share = Number(options.rate);
  const parsed = addFaultSchema.safeParse({
    environment: options.environment,
    upstream: options.upstream,
    ...(options.tool === undefined ? {} : { tool: options.tool }),
    kind: options.kind,
    percent: Math.round(share * 100),
    delayMs: seconds("--delay", options.delay) * 1_000,
    for: `PT${seconds("--for", options.for)}S`,
    reason: options.reason,
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new RemitError(
      "invalid-request",
      `--${String(issue?.path[0] ?? "kind").replace("percent", "rate")}: ${issue?.message ?? "is wrong"}`,
    );
  }
  const client = await frame.client();
  const fault = await client.send({ method: "POST", path: "/v1/faults", body: parsed.data, response: faultViewSchema });
  return tell(frame, fault);
}

/** `90s`, `10m`, `2h` in seconds. */
function seconds(option: string, text: string): number {
  const [, number, unit = "s"] = /^(\d{1,6})(s|m|h)?$/.exec(text) ?? [];
  if (number === undefined) throw new RemitError("invalid-request", `${option} ${text}: expected a duration such as 90s, 10m or 2h`);
  return Number(number) * { s: 1, m: 60, h: 3_600 }[unit as "s" | "m" | "h"];
}

async function change(frame: Frame, method: "POST" | "DELETE", target: string): Promise<number> {
  const client = await frame.client();
  return tell(frame, await client.send({ method, path: target, response: faultViewSchema }));
}

function tell(frame: Frame, fault: FaultView): number {
  const what = `${fault.kind} of ${scopeText(fault)} in ${fault.environment}`;
  const words = {
    waiting: `${fault.id}: ${what} waits for a second person.`,
    active: `${fault.id}: ${what}, for ${fault.percent} of 100 calls, until ${fault.expiresAt ?? "it is removed"}.`,
    expired: `${fault.id}: ${what} is over.`,
    removed: `${fault.id}: ${what} is over.`,
  }[fault.state];
  frame.terminal.answer(fault, () => [words]);
  if (fault.state === "waiting") frame.terminal.say(`next: somebody else runs: remit fault confirm ${fault.id}`);
  if (fault.state === "active") frame.terminal.say(`next: ${frame.hint(`fault rm ${fault.id}`)}`);
  return fault.state === "waiting" ? 5 : 0;
}

export function scopeText({ upstream, tool }: Pick<FaultView, "upstream" | "tool">): string {
  return tool === null ? upstream : `${upstream}__${tool}`;
}

async function listFaults(frame: Frame, all: boolean): Promise<void> {
  const faults = await readFaults(frame, all);
  const now = Date.now();
  frame.terminal.answer({ items: faults }, () =>
    faults.length === 0
      ? ["No fault is injected."]
      : table(
          faults,
          [
            { title: "FAULT", value: (row) => row.id },
            { title: "STATE", value: (row) => row.state },
            { title: "KIND", value: (row) => row.kind },
            { title: "OF", value: (row) => scopeText(row) },
            { title: "WHERE", value: (row) => row.environment },
            { title: "CALLS", value: (row) => `${row.percent} %` },
            { title: "ADDED", value: (row) => ago(row.addedAt, now) },
            { title: "BY", value: (row) => (row.confirmedBy === null ? row.addedBy : `${row.addedBy} and ${row.confirmedBy}`), cut: true },
            { title: "UNTIL", value: (row) => row.expiresAt ?? "" },
            { title: "REASON", value: (row) => row.reason, cut: true },
          ],
          frame.terminal.columns,
        ),
  );
}

export async function readFaults(frame: Frame, all = false): Promise<FaultView[]> {
  const client = await frame.client();
  const page = await client.send({ path: `/v1/faults${query({ all: String(all) })}`, response: pageSchema(faultViewSchema) });
  return page.items;
}
