import type { ApprovalView } from "@remit/contract";
import { safeJson, safeLine, safeText } from "../terminal/safe-text.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { wrapText } from "../terminal/text-width.ts";
import { ago, until } from "../terminal/time.ts";

const effectWords = { read: "looks, changes nothing", propose: "prepares something for a person", write: "changes the world outside" };
const undoWords = { none: "cannot be undone", compensable: "can be made good, not undone", reversible: "can be undone" };

/**
 * Everything that a person needs to decide, whole. Arguments are never shortened, and each of their lines stands behind a bar,
 * so that no text in them can pass for a part of this card.
 */
export function approvalCard(view: ApprovalView, terminal: Terminal, now: number): string[] {
  const row = (label: string, value: string) => `${terminal.style("dim", label.padEnd(10))} ${value}`;
  const expiry = view.state === "pending" ? `, expires ${until(view.expiresAt, now)} (${view.expiresAt})` : "";
  return [
    `${terminal.style("bold", safeLine(view.tool))} in ${safeLine(view.environment)}: ${effectWords[view.effect]}, ${undoWords[view.reversibility]}`,
    row("approval", `${view.id}  ${terminal.style(view.state === "pending" ? "yellow" : "cyan", view.state)}${expiry}`),
    row("agent", `${safeLine(view.agent)}; ${safeLine(view.accountable)} answers for it`),
    ...(view.runId === null ? [] : [row("run", safeLine(view.runId))]),
    ...(view.subject === null ? [] : [row("working on", safeLine(view.subject))]),
    row("asked", ago(view.requestedAt, now)),
    row("why", safeLine(view.reason)),
    ...(view.gates.length === 0 ? [] : [row("policy", view.gates.map(safeLine).join(", "))]),
    ...view.teams.flatMap((team) => teamRows(team, row, now)),
    ...view.delegations.map(({ from, to, at }) => row("", `${safeLine(from)} lets ${safeLine(to)} decide, since ${ago(at, now)}`)),
    ...(view.endedReason === null ? [] : [row("ended", safeLine(view.endedReason))]),
    ...(view.outcome === null ? [] : [row("outcome", safeLine(view.outcome))]),
    ...(view.you.vote === null ? [] : [row("you", `said ${view.you.vote}`)]),
    ...(view.state === "pending" && view.you.vote === null && !view.you.mayVote ? [row("you", "may not decide this")] : []),
    row("digest", view.digest),
    `${terminal.style("dim", "arguments")}  exactly what would run:`,
    ...argumentLines(view.arguments, terminal),
    row("link", safeLine(view.link)),
  ];
}

function teamRows(team: ApprovalView["teams"][number], row: (label: string, value: string) => string, now: number): string[] {
  const approvals = team.votes.filter((vote) => vote.vote === "approve").length;
  const asked = team.escalatedTo.length === 0 ? "" : `, and ${team.escalatedTo.map(safeLine).join(", ")}, because nobody answered`;
  const eligible = team.eligible.map(safeLine).join(", ");
  return [
    row(
      "team",
      `${safeLine(team.team)}${asked}: ${approvals} of ${team.quorum} said yes; may decide: ${eligible === "" ? "nobody" : eligible}`,
    ),
    ...team.votes.map((vote) => {
      const comment = vote.comment === null ? "" : `: ${safeLine(vote.comment)}`;
      return row("", `${safeLine(vote.party)} said ${vote.vote} ${ago(vote.at, now)}${comment}`);
    }),
  ];
}

function argumentLines(value: ApprovalView["arguments"], terminal: Terminal): string[] {
  const bar = `  ${terminal.style("dim", "│")} `;
  if (value === null) return [`${bar}(erased, or not yours to see)`];
  if (Object.keys(value).length === 0) return [`${bar}(none)`];
  const rows = Object.entries(value).map(([name, argument]) => {
    const text = typeof argument === "string" ? safeText(argument) : safeJson(argument, 2);
    const label = terminal.style("cyan", safeLine(name));
    const isShort = !text.includes("\n") && text.length <= terminal.columns - name.length - 8;
    const lines = isShort
      ? [`${bar}${label}: ${text}`]
      : [`${bar}${label}:`, ...wrapText(text, terminal.columns - 8).map((line) => `${bar}  ${line}`)];
    return { isShort, lines };
  });
  // The recipient of a long mail stands above it, not below the edge of the screen.
  return rows.toSorted((left, right) => Number(right.isShort) - Number(left.isShort)).flatMap(({ lines }) => lines);
}
