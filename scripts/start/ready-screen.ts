import type { ActionView, ApprovalView } from "@remit/contract";
import { reasonOf, safeLine, verdictOf } from "@remit/cli";
import type { Terminal } from "@remit/cli";
import { decideCommand } from "./people.ts";
import type { Outcome } from "./show-example.ts";

/** As many as a person reads at once; the rest is one command away. */
const shownWaiting = 5;
const shownReasons = 8;

/** The screen that everything ends on: what was done, what waits for whom, what was refused and why, the proof, and where to look next. */
export function readyScreen(outcome: Outcome, terminal: Terminal, dataDir: string | null): string[] {
  const actions = outcome.finished.flatMap((finished) => finished.actions);
  const title = (text: string) => ["", terminal.style("bold", text)];
  return [
    ...title("Done"),
    ...doneLines(outcome, actions),
    ...title(outcome.waiting.length === 0 ? "Nothing waits for a person" : `Waiting for a person: ${outcome.waiting.length}`),
    ...waitingLines(outcome.waiting),
    ...title("Refused, and why"),
    ...reasonLines(actions, "refused"),
    ...(actions.some((action) => verdictOf(action) === "failed") ? [...title("Tried, and failed"), ...reasonLines(actions, "failed")] : []),
    ...title("The record"),
    ...recordLines(outcome, terminal),
    ...title("Next"),
    ...nextLines(outcome, dataDir),
    "",
    `Remit serves on ${outcome.url} until Ctrl-C.`,
  ];
}

function doneLines({ finished }: Outcome, actions: readonly ActionView[]): string[] {
  if (finished.length === 0) return ["  No new tickets: those of the last start have been triaged."];
  const done = counted(actions.filter((action) => verdictOf(action) === "done").map((action) => safeLine(action.tool)));
  return [
    `  ${finished.length} tickets triaged, ${actions.length} actions attempted, ${done.reduce((sum, [, count]) => sum + count, 0)} of them carried out:`,
    `  ${done.map(([tool, count]) => `${count} × ${tool}`).join(", ")}`,
  ];
}

function waitingLines(waiting: readonly ApprovalView[]): string[] {
  const shown = waiting.slice(0, shownWaiting);
  const more = waiting.length - shown.length;
  return [
    ...shown.flatMap((view) => {
      const teams = view.teams.map((team) => team.team).join(" and ");
      return [
        `  ${safeLine(view.tool)} for ${safeLine(view.subject ?? view.id)}: asks ${safeLine(teams)}, because ${safeLine(view.reason)}`,
        `    ${decideCommand(view)}`,
      ];
    }),
    ...(more > 0 ? [`  and ${more} more: npx remit approvals list`] : []),
  ];
}

function reasonLines(actions: readonly ActionView[], verdict: "refused" | "failed"): string[] {
  const reasons = counted(
    actions.filter((action) => verdictOf(action) === verdict).map((action) => `${safeLine(action.tool)}: ${reasonOf(action)}`),
  );
  if (reasons.length === 0) return ["  Nothing."];
  const more = reasons.length - shownReasons;
  return [
    ...reasons.slice(0, shownReasons).map(([reason, count]) => `  ${count} × ${reason}`),
    ...(more > 0 ? [`  and ${more} other reasons: npx remit runs list`] : []),
  ];
}

function recordLines({ verdict }: Outcome, terminal: Terminal): string[] {
  if (verdict.ok) {
    return [
      `  ${terminal.style("green", "The ledger verifies")}: ${verdict.size} entries, recomputed from the first to the signed root (${verdict.anchoring}).`,
    ];
  }
  const { firstWrong } = verdict;
  const where = firstWrong === null ? "" : `: ${firstWrong.seq === null ? "" : `entry ${firstWrong.seq}, `}${safeLine(firstWrong.what)}`;
  return [`  ${terminal.style("red", "The ledger does not verify")}${where}`];
}

function nextLines({ finished, loginLink, mailUrl, ready }: Outcome, dataDir: string | null): string[] {
  const run = finished[0]?.run.id;
  const rows: [string, string][] = [
    ["look as Sam (works once)", loginLink],
    ["mails that were sent", mailUrl],
    ["what waits, and decide", "npx remit approvals list"],
    ...(run === undefined ? [] : ([["one run from start to end", `npx remit audit show ${run}`]] as [string, string][])),
    ["prove the record again", "npx remit audit verify"],
    ["stop every agent", 'npx remit halt on --reason "..."'],
    ...(ready === 0
      ? []
      : ([[`${ready} tickets have just come in`, "AGENT_ENV=staging npx agent-run --workflow triage --max-actions 3"]] as [
          string,
          string,
        ][])),
  ];
  return [
    ...(dataDir === null ? [] : [`  first: export REMIT_DATA_DIR=${dataDir}`]),
    ...rows.map(([what, how]) => `  ${what.padEnd(28)}${how}`),
  ];
}

/** Each text and how often it occurs, the most frequent first. */
function counted(texts: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].toSorted(([, left], [, right]) => right - left);
}
