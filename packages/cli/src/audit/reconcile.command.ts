import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { EntryType } from "@remit/contract";
import { recordedEventSchema, RemitError } from "@remit/contract";
import type { Reconciliation, ToldEnd } from "@remit/core";
import { isInRatio, reconcile, reconciledEnds } from "@remit/core";
import type { Command } from "commander";
import { everyItem } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { table } from "../terminal/table.ts";
import { endOfEntry, endsOfMetrics, endsOfSpans } from "./told-ends.ts";

type Options = { spans?: string; sampled?: string; since?: string };

export function defineReconcile(command: Command, run: Run): void {
  const reconciling = command
    .command("reconcile")
    .description("compare what the ledger, the metrics and, from a file, the spans tell of the same actions; exits 1 where they differ")
    .option("--spans <file>", "spans as a collector's file exporter writes them: OTLP in JSON, an export a line")
    .option("--sampled <ratio>", "the ratio of the sampler traceidratio, so that what it leaves out is no difference", "1")
    .option("--since <time>", "only from this time on, ISO 8601 in UTC; metrics, which count everything, are then left out")
    .action((options: Options) => run((frame) => compare(frame, options)));
  example(reconciling, "remit audit reconcile", "remit audit reconcile --spans traces.json --sampled 0.1");
}

async function compare(frame: Frame, options: Options): Promise<number> {
  const ratio = Number(options.sampled);
  if (!(ratio >= 0 && ratio <= 1)) throw new RemitError("invalid-request", `--sampled is a ratio from 0 to 1, not "${options.sampled}"`);
  const since = options.since === undefined ? null : new Date(options.since);
  if (since !== null && Number.isNaN(since.getTime()))
    throw new RemitError("invalid-request", `--since is a time like 2026-11-21T00:00:00Z, not "${options.since}"`);
  const spans = options.spans === undefined ? null : endsOfSpans(await textOf(resolve(frame.around.cwd, options.spans)), since);
  const client = await frame.client();
  const { ends, counted, dropped } = endsOfMetrics(await client.text("/metrics"));
  if (counted === null && since === null) {
    const reason = "This server tells no counts: another one leads. Ask that one; remit_sequencer_leading says which it is.";
    throw new RemitError("server-unavailable", reason);
  }
  const ledger: ToldEnd[] = [];
  for (const end of reconciledEnds) {
    const type: EntryType = `action-${end}`;
    const filter = { type, order: "oldest", ...(since === null ? {} : { since: since.toISOString() }) };
    for await (const entry of everyItem(client, "/v1/audit/entries", recordedEventSchema, filter)) {
      // What came after the count was told is not in it.
      if (since === null && (entry.seq === null || entry.seq >= (counted ?? 0))) continue;
      const told = endOfEntry(entry);
      if (told !== null) ledger.push(told);
    }
  }
  const found = reconcile({
    ledger,
    metrics: since === null ? ends : null,
    spans,
    dropped: spans === null ? 0 : dropped,
    isSampled: (traceId) => isInRatio(traceId, ratio),
  });
  frame.terminal.answer(found, () => words(found, frame.terminal.columns));
  return found.agrees ? 0 : 1;
}

function words(found: Reconciliation, columns: number): string[] {
  const number = (value: number | null): string => (value === null ? "–" : String(value));
  const { kinds, missing, unfounded, dropped, agrees } = found;
  const layout = [
    { title: "ENDED", value: (kind: (typeof kinds)[number]) => kind.end },
    { title: "LEDGER", value: (kind: (typeof kinds)[number]) => String(kind.ledger), align: "right" as const },
    { title: "METRICS", value: (kind: (typeof kinds)[number]) => number(kind.metrics), align: "right" as const },
    { title: "SPANS", value: (kind: (typeof kinds)[number]) => number(kind.spans), align: "right" as const },
    { title: "UNSAMPLED", value: (kind: (typeof kinds)[number]) => String(kind.unsampled), align: "right" as const },
    { title: "LATE", value: (kind: (typeof kinds)[number]) => String(kind.late), align: "right" as const },
  ];
  return [
    ...table(kinds, layout, columns),
    ...(missing.length === 0
      ? []
      : [`${missing.length} without a span; this server says that it dropped ${dropped} spans`, ...some(missing)]),
    ...(unfounded.length === 0 ? [] : [`${unfounded.length} spans without an entry`, ...some(unfounded)]),
    agrees ? "They agree." : "They differ. The ledger is the one that is right.",
  ];
}

function some(told: readonly ToldEnd[]): string[] {
  const shown = told.slice(0, 10).map(({ actionId, end }) => `  ${actionId}  ${end}`);
  return told.length > shown.length ? [...shown, `  and ${told.length - shown.length} more`] : shown;
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new RemitError("not-found", `The spans in ${file} cannot be read`, { cause: error });
  }
}
