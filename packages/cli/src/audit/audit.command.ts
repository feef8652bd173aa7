import { checkpointViewSchema, ledgerVerdictSchema, recordedEventSchema, RemitError, storySchema } from "@remit/contract";
import type { RecordedEvent } from "@remit/contract";
import type { Command } from "commander";
import { path, query } from "../client/http-client.ts";
import { pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeJson } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { defineAnchors } from "./anchor.command.ts";
import { defineProofs } from "./proof.command.ts";
import { defineReports } from "./define-reports.ts";
import { defineExport, defineKeys } from "./export.command.ts";
import { defineReconcile } from "./reconcile.command.ts";
import { provenanceOf } from "./provenance.ts";
import { storyWords } from "./story-words.ts";
import { trailersOf } from "./trailer-words.ts";
import { verdictWords } from "./verdict-words.ts";

type QueryOptions = PageOptions & {
  run?: string;
  action?: string;
  approval?: string;
  trace?: string;
  agent?: string;
  actor?: string;
  type?: string;
  tool?: string;
  since?: string;
  until?: string;
  oldest?: true;
};

export function defineAudit(command: Command, run: Run): void {
  const entries = withPages(command.command("query").description("entries of the ledger, newest first"))
    .option("--run <id>", "of this run")
    .option("--action <id>", "of this action")
    .option("--approval <id>", "of this request for approval")
    .option("--trace <id>", "of this trace")
    .option("--agent <name>", "of this agent")
    .option("--actor <who>", "by this actor, for example party:sam")
    .option("--type <type>", "of this type, for example action-denied")
    .option("--tool <upstream__tool>", "about this tool")
    .option("--since <time>", "from this time on, ISO 8601 in UTC")
    .option("--until <time>", "up to this time")
    .option("--oldest", "oldest first")
    .action((options: QueryOptions) => run((frame) => queryEntries(frame, options)));
  example(
    entries,
    "remit audit query --type action-denied --since 2026-11-21T00:00:00Z",
    "remit audit query --run run_0190… --oldest --json",
  );

  const show = command
    .command("show <id>")
    .description("what an agent saw and did, under which policy, who approved, and what came of it: of a run, action, approval or trace")
    .option("--full", "whole arguments and results, also of a run with many actions")
    .action((id: string, options: { full?: true }) => run((frame) => showStory(frame, id, options)));
  example(show, "remit audit show run_0190…", "remit audit show act_0190… --full");

  defineAnchors(command, run);
  defineProofs(command, run);

  const trailers = command
    .command("trailers <id>")
    .description("what the message of a commit or a pull request says of the run or action behind it, as git trailers")
    .action((id: string) => run((frame) => showTrailers(frame, id)));
  example(trailers, "remit audit trailers run_0190… >> .git/PULL_REQUEST_BODY", "remit audit trailers act_0190… --json");

  const provenance = command
    .command("provenance <id>")
    .description("where each decision and action of a run or action came from, as PROV-JSON (W3C); without what was said")
    .action((id: string) => run((frame) => showProvenance(frame, id)));
  example(provenance, "remit audit provenance run_0190… > run.prov.json", "remit audit provenance act_0190… | jq .actedOnBehalfOf");

  defineReports(command, run);

  const verify = command
    .command("verify")
    .description("recompute the whole ledger from its rows; exits 1 and names the first wrong sequence number if it is not as signed")
    .action(() => run(verifyLedger));
  example(verify, "remit audit verify", "remit audit verify --json");

  defineReconcile(command, run);
  defineExport(command, run);
  defineKeys(command, run);
}

async function queryEntries(frame: Frame, { oldest, limit, cursor, ...filter }: QueryOptions): Promise<void> {
  const client = await frame.client();
  const order = oldest === true ? "oldest" : undefined;
  const page = await client.send({
    path: `/v1/audit/entries${query({ ...filter, order, limit, cursor })}`,
    response: pageSchema(recordedEventSchema),
  });
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["No entries."]
      : table(
          page.items,
          [
            { title: "SEQ", value: ({ seq }) => (seq === null ? "pending" : String(seq)), align: "right" },
            { title: "TIME", value: ({ event }) => event.time },
            { title: "TYPE", value: ({ event }) => event.type.replace(/^remit\./, "") },
            { title: "ACTOR", value: ({ event }) => event.actor },
            { title: "ABOUT", value: about },
            { title: "FACTS", value: facts, cut: true },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

function about({ event }: RecordedEvent): string {
  return event.actionid ?? event.approvalid ?? event.runid ?? "";
}

function facts({ event }: RecordedEvent): string {
  const { payloads: _commitments, ...data } = event.data;
  return safeJson(data);
}

async function showStory(frame: Frame, id: string, options: { full?: true }): Promise<void> {
  const client = await frame.client();
  const story = await client.send({ path: path`/v1/audit/show/${id}`, response: storySchema, timeoutMs: 60_000 });
  const whole = options.full === true || story.actions.length === 1;
  frame.terminal.answer(story, () => storyWords(story, frame.terminal, whole));
  if (!whole && story.actions.length > 0) frame.terminal.say(`whole arguments and results: ${frame.hint(`audit show ${id} --full`)}`);
}

async function showTrailers(frame: Frame, id: string): Promise<void> {
  const client = await frame.client();
  const story = await client.send({ path: path`/v1/audit/show/${id}`, response: storySchema, timeoutMs: 60_000 });
  const checkpoint = await client.send({ path: "/v1/audit/checkpoint", response: checkpointViewSchema }).catch((error: unknown) => {
    if (RemitError.is(error) && error.code === "not-found") return null;
    throw error;
  });
  const trailers = trailersOf(story, checkpoint, client.url);
  frame.terminal.answer(trailers, () => trailers.map(({ key, value }) => `${key}: ${value}`));
}

/** It is data for other programs, whether or not it is asked for as such. */
async function showProvenance(frame: Frame, id: string): Promise<void> {
  const client = await frame.client();
  const story = await client.send({ path: path`/v1/audit/show/${id}`, response: storySchema, timeoutMs: 60_000 });
  if (story.truncated) frame.terminal.say("It is longer than is shown at once: this is its beginning. Ask for its actions one by one.");
  const document = provenanceOf(story, client.url);
  frame.terminal.answer(document, () => [safeJson(document, 2)]);
}

async function verifyLedger(frame: Frame): Promise<number> {
  const client = await frame.client();
  const verdict = await client.send({ path: "/v1/audit/verify", response: ledgerVerdictSchema, timeoutMs: 600_000 });
  frame.terminal.answer(verdict, () => verdictWords(verdict, frame.terminal));
  return verdict.ok ? 0 : 1;
}
