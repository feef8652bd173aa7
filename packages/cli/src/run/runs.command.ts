import { setTimeout as delay } from "node:timers/promises";
import { actionViewSchema, runStateSchema, runViewSchema } from "@remit/contract";
import type { ActionView, RunView } from "@remit/contract";
import type { Command } from "commander";
import { path, query } from "../client/http-client.ts";
import { everyItem, pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeJson, safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { ago } from "../terminal/time.ts";
import { followActions } from "./follow-actions.ts";
import { actionLine } from "./run-summary.ts";

const pollMs = 500;

export function defineRuns(command: Command, run: Run): void {
  const list = withPages(command.command("list").description("runs, newest first"))
    .option("--state <state>", `only these: ${runStateSchema.options.join(", ")}`)
    .action((options: PageOptions & { state?: string }) => run((frame) => listRuns(frame, options)));
  example(list, "remit runs list", "remit runs list --state running --json");
  const show = command
    .command("show <run>")
    .description("one run: its limits, how it ended, each action")
    .action((id: string) => run((frame) => showRun(frame, id)));
  example(show, "remit runs show run_0190…");
  const watch = command
    .command("watch <run>")
    .description("follow a run until it ends; with --json one document a line")
    .action((id: string) => run((frame) => watchRun(frame, id)));
  example(watch, "remit runs watch run_0190…");
  const cancel = command
    .command("cancel <run>")
    .description("end a run; what it still tries is refused")
    .requiredOption("--reason <text>", "why")
    .action((id: string, options: { reason: string }) => run((frame) => cancelRun(frame, id, options.reason)));
  example(cancel, 'remit runs cancel run_0190… --reason "wrong queue"');
}

async function listRuns(frame: Frame, options: PageOptions & { state?: string }): Promise<void> {
  const client = await frame.client();
  const page = await client.send({
    path: `/v1/runs${query({ state: options.state, limit: options.limit, cursor: options.cursor })}`,
    response: pageSchema(runViewSchema),
  });
  const now = Date.now();
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["No runs."]
      : table(
          page.items,
          [
            { title: "RUN", value: (row) => row.id },
            { title: "STATE", value: (row) => row.state },
            { title: "WORKFLOW", value: (row) => row.workflow },
            { title: "STARTED", value: (row) => ago(row.startedAt, now) },
            { title: "ACTIONS", value: countWords, cut: true },
            { title: "WORKING ON", value: (row) => row.subject ?? "", cut: true },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

async function readRun(frame: Frame, id: string): Promise<{ run: RunView; actions: ActionView[] }> {
  const client = await frame.client();
  const run = await client.send({ path: path`/v1/runs/${id}`, response: runViewSchema });
  const actions: ActionView[] = [];
  for await (const action of everyItem(client, path`/v1/runs/${id}/actions`, actionViewSchema)) actions.push(action);
  return { run, actions };
}

async function showRun(frame: Frame, id: string): Promise<void> {
  const { run, actions } = await readRun(frame, id);
  frame.terminal.answer({ ...run, actionList: actions }, () => [
    ...runWords(run, frame.terminal),
    ...actions.map((action) => `  ${actionLine(action, frame.terminal)}`),
  ]);
  frame.terminal.say(`next: ${frame.hint(`audit show ${id}`)}`);
}

function runWords(run: RunView, terminal: Terminal): string[] {
  return [
    `${terminal.style("bold", run.id)} ${run.state}${run.reason === null ? "" : `: ${safeLine(run.reason)}`}`,
    `  ${safeLine(run.workflow)} by ${safeLine(run.agent)} (${safeLine(run.accountable)} answers for it) in ${safeLine(run.environment)} under ${safeLine(run.policy)}`,
    ...(run.subject === null ? [] : [`  working on ${safeLine(run.subject)}${run.queue === null ? "" : ` from ${safeLine(run.queue)}`}`]),
    `  at most ${run.limits.actions} actions, until ${run.limits.deadline}`,
    `  started ${run.startedAt}${run.endedAt === null ? "" : `, ended ${run.endedAt}`}`,
  ];
}

async function watchRun(frame: Frame, id: string): Promise<number> {
  const { terminal } = frame;
  const client = await frame.client();
  const follower = followActions(client, id);
  let run = await client.send({ path: path`/v1/runs/${id}`, response: runViewSchema });
  if (terminal.json) terminal.line(safeJson({ type: "run", run }));
  else for (const line of runWords(run, terminal)) terminal.line(line);
  for (;;) {
    // The state first: an action after it would otherwise be missed.
    const changed = await follower.poll();
    for (const action of changed)
      terminal.line(terminal.json ? safeJson({ type: "action", runId: id, action }) : actionLine(action, terminal));
    if (run.state !== "running") break;
    await delay(pollMs);
    run = await client.send({ path: path`/v1/runs/${id}`, response: runViewSchema });
  }
  terminal.line(terminal.json ? safeJson({ type: "run", run }) : `${run.state}${run.reason === null ? "" : `: ${safeLine(run.reason)}`}`);
  return run.state === "completed" ? 0 : run.state === "halted" ? 6 : 1;
}

async function cancelRun(frame: Frame, id: string, reason: string): Promise<void> {
  const client = await frame.client();
  const run = await client.send({
    method: "POST",
    path: path`/v1/runs/${id}/end`,
    body: { outcome: "cancelled", reason },
    response: runViewSchema,
  });
  frame.terminal.answer(run, () => [`${id} is ${run.state}.`]);
}

function countWords(run: RunView): string {
  return Object.entries(run.actions)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(", ");
}
