import { holdViewSchema } from "@remit/contract";
import type { Command } from "commander";
import { path, query } from "../client/http-client.ts";
import { pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { ago } from "../terminal/time.ts";

export function defineHold(command: Command, run: Run): void {
  const add = command
    .command("add <name>")
    .description("nothing about a subject, or nothing at all, is erased or purged from now on")
    .option("--subject <subject>", "about whom, as in customer:C-1042; without it, everything is held")
    .requiredOption("--reason <text>", "why")
    .action((name: string, options: { subject?: string; reason: string }) => run((frame) => addHold(frame, name, options)));
  example(add, 'remit privacy hold add "Smith v. Acme" --subject customer:C-1042 --reason "litigation, letter of 3 May"');
  withPages(command.command("list").description("what is held, by whom and why"))
    .option("--all", "also those that were released")
    .action((options: PageOptions & { all?: boolean }) => run((frame) => listHolds(frame, options)));
  const release = command
    .command("release <hold>")
    .description("by its id or name; it takes two people, so the first call is half of it")
    .requiredOption("--reason <text>", "why nothing has to be kept any more")
    .action((hold: string, options: { reason: string }) => run((frame) => releaseHold(frame, hold, options.reason)));
  example(release, 'remit privacy hold release "Smith v. Acme" --reason settled');
}

async function addHold(frame: Frame, name: string, { subject = null, reason }: { subject?: string | null; reason: string }): Promise<void> {
  const client = await frame.client();
  const hold = await client.send({ method: "POST", path: "/v1/privacy/holds", body: { name, subject, reason }, response: holdViewSchema });
  frame.terminal.answer(hold, () => [
    `${subject === null ? "Everything" : safeLine(hold.subject ?? "")} is held by "${safeLine(hold.name)}". ${hold.id}`,
  ]);
}

async function listHolds(frame: Frame, options: PageOptions & { all?: boolean }): Promise<void> {
  const client = await frame.client();
  const all = options.all === true ? "true" : undefined;
  const page = await client.send({
    path: `/v1/privacy/holds${query({ all, limit: options.limit, cursor: options.cursor })}`,
    response: pageSchema(holdViewSchema),
  });
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["Nothing is held."]
      : table(
          page.items,
          [
            { title: "NAME", value: (row) => row.name },
            { title: "SUBJECT", value: (row) => row.subject ?? "everything", cut: true },
            { title: "SINCE", value: (row) => ago(row.placedAt, Date.now()) },
            { title: "BY", value: (row) => row.placedBy, cut: true },
            { title: "REASON", value: (row) => row.reason, cut: true },
            {
              title: "RELEASE",
              value: (row) => (row.releasedAt !== null ? ago(row.releasedAt, Date.now()) : (row.releaseRequestedBy ?? "")),
            },
            { title: "HOLD", value: (row) => row.id, cut: true },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

async function releaseHold(frame: Frame, idOrName: string, reason: string): Promise<number> {
  const client = await frame.client();
  const hold = await client.send({
    method: "POST",
    path: path`/v1/privacy/holds/${idOrName}/release`,
    body: { reason },
    response: holdViewSchema,
  });
  const released = hold.releasedAt !== null;
  frame.terminal.answer(hold, () => [
    released
      ? `"${safeLine(hold.name)}" is released. What it alone had kept beyond its schedule is gone.`
      : `Asked for by ${hold.releaseRequestedBy ?? "you"}. It holds until a second person runs the same.`,
  ]);
  return released ? 0 : 5;
}
