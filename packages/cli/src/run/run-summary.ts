import type { ActionView } from "@remit/contract";
import { safeLine } from "../terminal/safe-text.ts";
import type { Style, Terminal } from "../terminal/terminal.ts";
import { exitWords } from "./run-once.ts";
import type { FinishedRun } from "./run-once.ts";

/** What came of an action, in the five ways that matter to whoever started the run. */
export type Verdict = "done" | "waiting" | "refused" | "failed" | "open";

const verdicts: Record<ActionView["state"], Verdict> = {
  succeeded: "done",
  waiting: "waiting",
  denied: "refused",
  rejected: "refused",
  expired: "refused",
  halted: "refused",
  cancelled: "failed",
  failed: "failed",
  unknown: "failed",
  executing: "open",
};

export function verdictOf(action: ActionView): Verdict {
  return verdicts[action.state];
}

const marks: Record<Verdict, { mark: string; style: Style }> = {
  done: { mark: "✓", style: "green" },
  waiting: { mark: "…", style: "yellow" },
  refused: { mark: "✗", style: "red" },
  failed: { mark: "!", style: "red" },
  open: { mark: "·", style: "dim" },
};

/** One line of one action. */
export function actionLine(action: ActionView, terminal: Terminal): string {
  const { mark, style } = marks[verdictOf(action)];
  const why = action.state === "succeeded" || action.state === "executing" ? "" : reasonOf(action);
  const approval = action.state === "waiting" && action.approvalId !== null ? `  ${action.approvalId}` : "";
  return `${terminal.style(style, mark)} ${safeLine(action.tool)}  ${terminal.style(style, action.state)}${approval}${why === "" ? "" : `: ${why}`}`;
}

export function reasonOf(action: ActionView): string {
  return safeLine([action.code, action.reason].filter((part) => part !== null && part !== "").join(": "));
}

export const exitCodes = { done: 0, failed: 1, unreachable: 3, refused: 4, waiting: 5, halted: 6 } as const;

/** The exit code of runs together: what asks most for a person wins. */
export function exitOf(runs: readonly FinishedRun[]): number {
  const codes = runs.map(exitOfRun);
  const order = [exitCodes.halted, exitCodes.unreachable, exitCodes.failed, exitCodes.waiting, exitCodes.refused];
  return order.find((code) => codes.includes(code)) ?? exitCodes.done;
}

function exitOfRun({ run, actions, agent, stop }: FinishedRun): number {
  if (stop?.cause === "halt" || run.state === "halted") return exitCodes.halted;
  if (stop?.cause === "unreachable") return exitCodes.unreachable;
  if (stop?.cause === "interrupted" || stop?.cause === "ended") return exitCodes.failed;
  const found = actions.map(verdictOf);
  // A limit is no fault of the agent; that it was then ended by a signal says nothing more.
  if (stop === null && agent.code !== 0) return exitCodes.failed;
  if (found.includes("waiting")) return exitCodes.waiting;
  if (stop?.cause === "limit") return exitCodes.failed;
  if (found.includes("failed")) return exitCodes.failed;
  if (found.length > 0 && found.every((verdict) => verdict === "refused")) return exitCodes.refused;
  return exitCodes.done;
}

/** What a person has to know of finished runs: what was done, what waits for whom, what was refused and why. */
export function summaryWords(runs: readonly FinishedRun[], terminal: Terminal, hint: (words: string) => string): string[] {
  const actions = runs.flatMap((one) => one.actions);
  const of = (verdict: Verdict) => actions.filter((action) => verdictOf(action) === verdict);
  const waiting = of("waiting");
  return [
    "",
    ...runs.map((one) => `${terminal.style("bold", one.run.id)} ${one.run.state}${endReason(one)}`),
    `  ${of("done").length} done, ${waiting.length} waiting, ${of("refused").length} refused, ${of("failed").length} failed`,
    ...grouped("refused", of("refused")),
    ...grouped("failed", of("failed")),
    ...waiting.flatMap((action) => [
      `  ${terminal.style("yellow", "waits for a person")}: ${safeLine(action.tool)}${action.reason === null ? "" : ` (${safeLine(action.reason)})`}`,
      `    ${hint(`approvals approve ${action.approvalId ?? ""}`)}`,
    ]),
  ];
}

function endReason({ run, agent, stop }: FinishedRun): string {
  if (stop !== null) return `: ${safeLine(stop.reason)}`;
  if (agent.code !== 0) return `: ${safeLine(exitWords(agent))}`;
  return run.subject === null ? "" : `: ${safeLine(run.subject)}`;
}

/** Ten refusals for one reason are one thing to understand. */
function grouped(title: string, actions: readonly ActionView[]): string[] {
  const counts = new Map<string, number>();
  for (const action of actions) {
    const key = `${safeLine(action.tool)}: ${reasonOf(action)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `  ${title} ${count > 1 ? `${count} × ` : ""}${key}`);
}
