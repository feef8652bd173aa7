import { approvalStateSchema, approvalViewSchema, errorTable, RemitError } from "@remit/contract";
import type { ApprovalView } from "@remit/contract";
import type { Command } from "commander";
import { path, query } from "../client/http-client.ts";
import type { HttpClient } from "../client/http-client.ts";
import { pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { table } from "../terminal/table.ts";
import { until } from "../terminal/time.ts";
import { approvalCard } from "./approval-card.ts";

export function defineApprovals(command: Command, run: Run): void {
  const list = withPages(command.command("list").description("what waits for a decision"))
    .option("--state <state>", `only these: ${approvalStateSchema.options.join(", ")} (default: pending)`)
    .option("--all", "of every state")
    .action((options: PageOptions & { state?: string; all?: true }) => run((frame) => listApprovals(frame, options)));
  example(list, "remit approvals list", "remit approvals list --state denied --json");

  const show = command
    .command("show <approval>")
    .description("everything you need to decide, in full")
    .action((id: string) => run((frame) => showApproval(frame, id)));
  example(show, "remit approvals show apr_0190…");

  const approve = command
    .command("approve <approval>")
    .description("show it again, ask, and approve exactly what was shown")
    .option("--digest <sha256>", "approve only what has this digest (needed where nobody can be asked)")
    .option("--comment <text>", "recorded with your decision")
    .action((id: string, options: VoteOptions) => run((frame) => approveAction(frame, id, options)));
  example(approve, "remit approvals approve apr_0190…", "remit approvals approve apr_0190… --digest 9f86d08…");

  const deny = command
    .command("deny <approval>")
    .description("refuse it; it will not run")
    .option("--digest <sha256>", "deny only what has this digest")
    .option("--comment <text>", "recorded with your decision")
    .action((id: string, options: VoteOptions) => run((frame) => denyAction(frame, id, options)));
  example(deny, 'remit approvals deny apr_0190… --comment "not this customer"');

  const delegate = command
    .command("delegate <approval>")
    .description("let somebody else decide in your place")
    .requiredOption("--to <party>", "who")
    .action((id: string, options: { to: string }) =>
      run((frame) => change(frame, id, "delegate", { to: options.to }, `${options.to} may decide now.`)),
    );
  example(delegate, "remit approvals delegate apr_0190… --to jo");

  const cancel = command
    .command("cancel <approval>")
    .description("withdraw the request; it will not run")
    .requiredOption("--reason <text>", "why")
    .action((id: string, options: { reason: string }) =>
      run((frame) => change(frame, id, "cancel", { reason: options.reason }, "Cancelled.")),
    );
  example(cancel, 'remit approvals cancel apr_0190… --reason "the ticket is solved"');
}

type VoteOptions = { digest?: string; comment?: string };

async function listApprovals(frame: Frame, options: PageOptions & { state?: string; all?: true }): Promise<void> {
  const client = await frame.client();
  const state = options.all === true ? undefined : (options.state ?? "pending");
  const page = await client.send({
    path: `/v1/approvals${query({ state, limit: options.limit, cursor: options.cursor })}`,
    response: pageSchema(approvalViewSchema),
  });
  const now = Date.now();
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? [state === "pending" ? "Nothing waits." : state === undefined ? "Nobody was ever asked." : `No request is ${state}.`]
      : table(
          page.items,
          [
            { title: "APPROVAL", value: (row) => row.id },
            { title: "STATE", value: (row) => row.state },
            { title: "TOOL", value: (row) => row.tool },
            { title: "ASKS", value: (row) => row.teams.map((team) => team.team).join(", ") },
            { title: "WORKING ON", value: (row) => row.subject ?? "", cut: true },
            { title: "EXPIRES", value: (row) => (row.state === "pending" ? until(row.expiresAt, now) : "") },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
  const first = page.items.find((item) => item.state === "pending");
  if (first !== undefined) frame.terminal.say(`next: ${frame.hint(`approvals show ${first.id}`)}`);
}

async function showApproval(frame: Frame, id: string): Promise<void> {
  const view = await read(await frame.client(), id);
  frame.terminal.answer(view, () => approvalCard(view, frame.terminal, Date.now()));
  if (view.state === "pending") {
    frame.terminal.say(`next: ${frame.hint(`approvals approve ${id}`)}   or   ${frame.hint(`approvals deny ${id}`)}`);
  }
}

async function approveAction(frame: Frame, id: string, options: VoteOptions): Promise<number> {
  const client = await frame.client();
  const view = await read(client, id);
  // Whoever approves in a script has to have seen something: its digest says what.
  if (options.digest === undefined && !frame.terminal.interactive) {
    throw new RemitError(
      "invalid-request",
      `Nobody can be shown this here: read it (remit approvals show ${id}) and pass --digest with the digest that it names.`,
    );
  }
  requireVote(view);
  if (view.arguments === null)
    throw new RemitError("conflict", "Its arguments are erased or not yours to see: what cannot be shown cannot be approved.");
  requireDigest(view, options);
  if (options.digest === undefined) {
    for (const line of approvalCard(view, frame.terminal, Date.now())) frame.around.stderr.write(`${line}\n`);
    if (!(await frame.confirm("Approve exactly this?"))) {
      frame.terminal.warn("Nothing was decided.");
      return 1;
    }
  }
  return vote(frame, client, view, { vote: "approve", ...options });
}

async function denyAction(frame: Frame, id: string, options: VoteOptions): Promise<number> {
  const client = await frame.client();
  const view = await read(client, id);
  requireVote(view);
  requireDigest(view, options);
  return vote(frame, client, view, { vote: "deny", ...options });
}

/** Said before anything is asked: what was decided already is for the server to say. */
function requireVote({ state, you, teams }: ApprovalView): void {
  if (state !== "pending" || you.mayVote || you.vote !== null) return;
  const eligible = [...new Set(teams.flatMap((team) => team.eligible))].join(", ");
  throw new RemitError("approval-not-eligible", `You may not decide this; ${eligible === "" ? "nobody" : eligible} may.`);
}

function requireDigest(view: ApprovalView, options: VoteOptions): void {
  if (options.digest !== undefined && options.digest !== view.digest) {
    throw new RemitError("conflict", `This request is for something else: its digest is ${view.digest}.`);
  }
}

async function vote(
  frame: Frame,
  client: HttpClient,
  view: ApprovalView,
  decision: { vote: "approve" | "deny"; comment?: string },
): Promise<number> {
  const decided = await client.send({
    method: "POST",
    path: path`/v1/approvals/${view.id}/votes`,
    // Always the digest of the view that was shown, never one read afterwards.
    body: { vote: decision.vote, digest: view.digest, ...(decision.comment === undefined ? {} : { comment: decision.comment }) },
    response: approvalViewSchema,
  });
  frame.terminal.answer(decided, () => [voteWords(decided, decision.vote)]);
  if (decided.state === "pending") return errorTable["approval-pending"].exit;
  frame.terminal.say(`next: ${frame.hint(`audit show ${view.actionId}`)}`);
  return 0;
}

function voteWords(view: ApprovalView, said: "approve" | "deny"): string {
  if (said === "deny") return `Denied: ${view.tool} will not run.`;
  if (view.state !== "pending") return `Approved: ${view.tool} runs now, once.`;
  const missing = view.teams.filter((team) => team.votes.filter((vote) => vote.vote === "approve").length < team.quorum);
  return `Your yes is recorded. Still needed: ${missing.map((team) => team.team).join(", ")}.`;
}

async function change(frame: Frame, id: string, verb: "delegate" | "cancel", body: object, done: string): Promise<void> {
  const client = await frame.client();
  const view = await client.send({ method: "POST", path: path`/v1/approvals/${id}/`.concat(verb), body, response: approvalViewSchema });
  frame.terminal.answer(view, () => [done]);
}

function read(client: HttpClient, id: string): Promise<ApprovalView> {
  return client.send({ path: path`/v1/approvals/${id}`, response: approvalViewSchema });
}
