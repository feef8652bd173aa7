import {
  accessPageSchema,
  approvalTrailSchema,
  exceptionReportSchema,
  haltRecordSchema,
  permissionChangeSchema,
  sweepReportSchema,
  tokenReportSchema,
} from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { query } from "../client/http-client.ts";
import { pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import {
  accessWords,
  approvalTrailWords,
  exceptionWords,
  haltRecordWords,
  permissionWords,
  sweepWords,
  tokenWords,
} from "./report-words.ts";

type RangeOptions = { since?: string; until?: string };
type AccessOptions = PageOptions &
  RangeOptions & {
    record?: string;
    tool?: string;
    agent?: string;
    run?: string;
    policy?: string;
    attempts?: true;
    followed?: true;
    oldest?: true;
  };

/** A search opens what was sealed, and a report reads every entry of its range. */
const longMs = 300_000;

/** The auditor's questions, each answered from the ledger alone. */
export function defineReports(command: Command, run: Run): void {
  const accesses = withRange(
    withPages(
      command
        .command("accesses")
        .description("which records were accessed, under what policy, by which tool, and what followed; newest first"),
    ),
  )
    .option("--record <text>", "only where this record stands in what was sent or answered, for example a ticket's number")
    .option("--tool <upstream__tool>", "by this tool")
    .option("--agent <name>", "by this agent")
    .option("--run <id>", "in this run")
    .option("--policy <name>", "let by this policy set, or by this policy of one")
    .option("--attempts", "also what was denied or waited")
    .option("--followed", "with what the same run did next")
    .option("--oldest", "oldest first")
    .action((options: AccessOptions) =>
      run(async (frame) => {
        const { oldest, attempts, followed, ...filter } = options;
        const client = await frame.client();
        const page = await client.send({
          path: `/v1/audit/accesses${query({
            ...filter,
            order: oldest === true ? "oldest" : undefined,
            attempts: attempts === true ? "true" : undefined,
            followed: followed === true ? "true" : undefined,
          })}`,
          response: accessPageSchema,
          timeoutMs: longMs,
        });
        frame.terminal.answer(page, () =>
          page.items.length === 0 ? [`Nothing found in ${page.examined} actions.`] : accessWords(page.items, frame.terminal.columns),
        );
        sayMore(frame, page.next);
      }),
    );
  example(accesses, "remit audit accesses --record T-1042 --followed", "remit audit accesses --agent triage --policy support --json");

  const approvals = withRange(withPages(command.command("approvals").description("requests for approval from asking to their end")))
    .option("--agent <name>", "of this agent")
    .action((options: PageOptions & RangeOptions & { agent?: string }) =>
      run(async (frame) => {
        const client = await frame.client();
        const page = await client.send({ path: `/v1/audit/approvals${query(options)}`, response: pageSchema(approvalTrailSchema) });
        frame.terminal.answer(page, () =>
          page.items.length === 0 ? ["Nothing was asked."] : approvalTrailWords(page.items, frame.terminal.columns),
        );
        sayMore(frame, page.next);
      }),
    );
  example(approvals, "remit audit approvals --since 2026-11-01T00:00:00Z", "remit audit approvals --agent triage --json");

  const exceptions = withRange(
    command
      .command("exceptions")
      .description("what was out of the ordinary: break-glass, waivers, self-raised limits, shadow decisions that differ, and more"),
  ).action((options: RangeOptions) =>
    run(async (frame) => {
      const client = await frame.client();
      const report = await client.send({
        path: `/v1/audit/exceptions${query(options)}`,
        response: exceptionReportSchema,
        timeoutMs: longMs,
      });
      frame.terminal.answer(report, () => exceptionWords(report, frame.terminal.columns));
    }),
  );
  example(exceptions, "remit audit exceptions --since 2026-11-01T00:00:00Z", "remit audit exceptions --json");

  const permissions = withRange(command.command("permissions").description("how permissions changed over time, and who changed them"))
    .option("--limit <n>", "how many of the newest changes, 1 to 200")
    .action((options: RangeOptions & { limit?: string }) =>
      run(async (frame) => {
        const client = await frame.client();
        const response = z.object({ items: z.array(permissionChangeSchema) });
        const answer = await client.send({ path: `/v1/audit/permissions${query(options)}`, response, timeoutMs: longMs });
        frame.terminal.answer(answer, () =>
          answer.items.length === 0 ? ["Nothing was applied in this range."] : permissionWords(answer.items),
        );
      }),
    );
  example(permissions, "remit audit permissions --since 2026-11-01T00:00:00Z", "remit audit permissions --limit 5 --json");

  const halts = withRange(withPages(command.command("halts").description("halts and safe modes from their command to their end"))).action(
    (options: PageOptions & RangeOptions) =>
      run(async (frame) => {
        const client = await frame.client();
        const page = await client.send({
          path: `/v1/audit/halts${query(options)}`,
          response: pageSchema(haltRecordSchema),
          timeoutMs: longMs,
        });
        frame.terminal.answer(page, () =>
          page.items.length === 0 ? ["Nothing was halted."] : haltRecordWords(page.items, frame.terminal.columns),
        );
        sayMore(frame, page.next);
      }),
  );
  example(halts, "remit audit halts", "remit audit halts --since 2026-11-01T00:00:00Z --json");

  const swept = command
    .command("sweep")
    .description("look at every asset with every check; exits 1 where something should not wait")
    .action(() =>
      run(async (frame) => {
        const client = await frame.client();
        const report = await client.send({ path: "/v1/audit/sweep", response: sweepReportSchema, timeoutMs: longMs });
        frame.terminal.answer(report, () => sweepWords(report, frame.terminal.columns));
        return report.ok ? 0 : 1;
      }),
    );
  example(swept, "remit audit sweep", "remit audit sweep --json");

  const tokens = withRange(command.command("tokens").description("how long tokens lived, and how secrets were rotated")).action(
    (options: RangeOptions) =>
      run(async (frame) => {
        const client = await frame.client();
        const report = await client.send({ path: `/v1/audit/tokens${query(options)}`, response: tokenReportSchema, timeoutMs: longMs });
        frame.terminal.answer(report, () => tokenWords(report, frame.terminal.columns));
      }),
  );
  example(tokens, "remit audit tokens --since 2026-11-01T00:00:00Z", "remit audit tokens --json");
}

function withRange(command: Command): Command {
  return command.option("--since <time>", "from this time on, ISO 8601 in UTC").option("--until <time>", "up to this time");
}
