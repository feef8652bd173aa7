import { open } from "node:fs/promises";
import { resolve } from "node:path";
import {
  erasureViewSchema,
  privacyRequestViewSchema,
  RemitError,
  retentionViewSchema,
  subjectExportSchema,
  subjectViewSchema,
} from "@remit/contract";
import type { ErasureView, RetentionView, SubjectExport } from "@remit/contract";
import type { Command } from "commander";
import { query } from "../client/http-client.ts";
import { pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { ago } from "../terminal/time.ts";
import { defineHold } from "./hold.command.ts";

export function definePrivacy(command: Command, run: Run): void {
  const subjects = withPages(command.command("subjects").description("about whom something is held")).action((options: PageOptions) =>
    run((frame) => listSubjects(frame, options)),
  );
  example(subjects, "remit privacy subjects");

  const exported = command
    .command("export <subject>")
    .description("everything that is held about somebody, as JSON; recorded")
    .requiredOption("--reason <text>", "why, or the number of the request")
    .option("--include-shared", "also what is about others as well")
    .option("--out <file>", "into a file that only you can read, not to stdout")
    .action((subject: string, options: ExportOptions) => run((frame) => exportSubject(frame, subject, options)));
  example(exported, "remit privacy export customer:C-1042 --reason DSR-17 --out C-1042.json");

  const erase = command
    .command("erase <subject>")
    .description("destroy the key of everything about somebody; without --confirm, say what that takes away")
    .requiredOption("--reason <text>", "why, or the number of the request")
    .option("--confirm", "do it; nobody can undo it")
    .action((subject: string, options: { reason: string; confirm?: boolean }) => run((frame) => erasePerson(frame, subject, options)));
  example(erase, "remit privacy erase customer:C-1042 --reason DSR-17", "remit privacy erase customer:C-1042 --reason DSR-17 --confirm");

  const hold = command.command("hold").description("keep what must not be erased: legal holds");
  example(hold, "remit privacy hold list");
  defineHold(hold, run);

  const requests = withPages(command.command("requests").description("what was asked and done, from the ledger, newest first")).action(
    (options: PageOptions) => run((frame) => listRequests(frame, options)),
  );
  example(requests, "remit privacy requests");

  const retention = command
    .command("retention")
    .description("end what has been kept as long as remit.yaml says; the server does so by itself every ten minutes")
    .option("--plan", "only say what is due")
    .action((options: { plan?: boolean }) => run((frame) => purge(frame, options.plan === true)));
  example(retention, "remit privacy retention --plan");
}

async function listSubjects(frame: Frame, options: PageOptions): Promise<void> {
  const client = await frame.client();
  const page = await client.send({
    path: `/v1/privacy/subjects${query({ limit: options.limit, cursor: options.cursor })}`,
    response: pageSchema(subjectViewSchema),
  });
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["Nothing is held about anybody who was named. Tools name whom they are about with `subjects` (docs/privacy.md)."]
      : table(
          page.items,
          [
            { title: "SUBJECT", value: (row) => row.subject, cut: true },
            { title: "SINCE", value: (row) => ago(row.firstSeenAt, Date.now()) },
            { title: "HELD BY", value: (row) => row.holds.join(", "), cut: true },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

type ExportOptions = { reason: string; includeShared?: boolean; out?: string };

async function exportSubject(frame: Frame, subject: string, { reason, includeShared = false, out }: ExportOptions): Promise<void> {
  const client = await frame.client();
  let all: SubjectExport | null = null;
  do {
    const cursor = all?.next ?? undefined;
    const page: SubjectExport = await client.send({
      method: "POST",
      path: "/v1/privacy/exports",
      body: { subject, reason, includeShared, ...(cursor === undefined ? {} : { cursor }) },
      response: subjectExportSchema,
    });
    all = all === null ? page : { ...page, entries: [...all.entries, ...page.entries], actions: [...all.actions, ...page.actions] };
  } while (all.next !== null);
  const { next: _next, ...document } = all;
  const text = JSON.stringify(document, null, 2);
  const states = document.entries.flatMap(({ payloads }) => Object.values(payloads).map(({ state }) => state));
  const count = (wanted: string): number => states.filter((state) => state === wanted).length;
  const said = [`${document.entries.length} entries`, `${count("open")} payloads opened`];
  if (count("erased") > 0) said.push(`${count("erased")} erased`);
  if (count("damaged") > 0) said.push(`${count("damaged")} damaged: run remit audit verify`);
  if (count("shared") > 0) said.push(`${count("shared")} withheld, for they are about others too: --include-shared`);
  if (out === undefined) frame.terminal.answer(document, () => [text]);
  else {
    await writeNew(resolve(frame.around.cwd, out), `${text}\n`);
    frame.terminal.answer({ file: out, subject: document.subject, entries: document.entries.length }, () => [`Written to ${out}.`]);
  }
  frame.terminal.say(`${document.subject}: ${said.join(", ")}.`);
}

/** Never over a file that is there: it may be one that others can read. */
async function writeNew(file: string, text: string): Promise<void> {
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new RemitError("invalid-request", `${file} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

async function erasePerson(
  frame: Frame,
  subject: string,
  { reason, confirm = false }: { reason: string; confirm?: boolean },
): Promise<number> {
  const client = await frame.client();
  const view = await client.send({
    method: "POST",
    path: "/v1/privacy/erasures",
    body: { subject, reason, confirm },
    response: erasureViewSchema,
    timeoutMs: 120_000,
  });
  frame.terminal.answer(view, () => erasureLines(view));
  if (view.erased && view.rewritten === false)
    frame.terminal.say(
      "The tables that held the key could not be rewritten now; the server tries again. As the owner of the schema: docs/privacy.md.",
    );
  if (!view.erased && view.holds.length === 0) frame.terminal.say("Nothing was done. To do it, add --confirm; nobody can undo it.");
  return !view.erased && view.holds.length > 0 ? 4 : 0;
}

function erasureLines(view: ErasureView): string[] {
  const { payloads, shared, entries, approvals, items, holds } = view;
  const verb = view.erased ? "were erased" : "would be erased";
  return [
    `${safeLine(view.subject)}: ${payloads} sealed payloads of ${entries} entries ${verb}${shared > 0 ? `, ${shared} of them about others too` : ""}.`,
    ...(approvals > 0 ? [`  ${approvals} requests for approval ${view.erased ? "ended" : "would end"}`] : []),
    ...(items > 0 ? [`  ${items} pieces of work ${view.erased ? "were emptied" : "would be emptied"}`] : []),
    ...(holds.length > 0 ? [`  not while it is held by: ${holds.map((name) => safeLine(name)).join(", ")}`] : []),
    ...(view.entry === null ? [] : [`  recorded as ${view.entry}; every proof holds as before`]),
  ];
}

async function listRequests(frame: Frame, options: PageOptions): Promise<void> {
  const client = await frame.client();
  const page = await client.send({
    path: `/v1/privacy/requests${query({ limit: options.limit, cursor: options.cursor })}`,
    response: pageSchema(privacyRequestViewSchema),
  });
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["Nothing has been asked or done."]
      : table(
          page.items,
          [
            { title: "WHEN", value: (row) => ago(row.at, Date.now()) },
            { title: "WHAT", value: (row) => row.type },
            { title: "BY", value: (row) => row.actor, cut: true },
            { title: "KEY", value: (row) => row.key ?? "", cut: true },
            { title: "REASON", value: (row) => row.reason ?? "", cut: true },
            { title: "ENTRY", value: (row) => row.entry },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

async function purge(frame: Frame, isPlan: boolean): Promise<void> {
  const client = await frame.client();
  const view = await client.send({
    method: isPlan ? "GET" : "POST",
    path: "/v1/privacy/retention",
    ...(isPlan ? {} : { body: {} }),
    response: retentionViewSchema,
    timeoutMs: 120_000,
  });
  frame.terminal.answer(view, () => retentionLines(view, frame.terminal.columns));
  if (view.heldBy !== null) frame.terminal.say(`Nothing is purged: "${safeLine(view.heldBy)}" holds everything.`);
}

function retentionLines(view: RetentionView, columns: number): string[] {
  const rows = Object.entries(view.rows).filter(([, count]) => count > 0);
  if (view.keys.length === 0 && rows.length === 0) return ["Nothing is due."];
  return [
    ...(view.keys.length === 0
      ? []
      : table(
          view.keys,
          [
            { title: "DAY", value: (row) => row.day },
            { title: "CLASS", value: (row) => row.class },
            { title: "SENSITIVITY", value: (row) => row.sensitivity },
            { title: "KEPT FOR", value: (row) => row.schedule },
            { title: "PAYLOADS", value: (row) => String(row.payloads), align: "right" },
            { title: "HELD", value: (row) => String(row.held), align: "right" },
          ],
          columns,
        )),
    ...rows.map(([relation, count]) => `${count} rows of ${relation} that ended before ${view.rowsBefore ?? ""}`),
  ];
}
