import type { RecordedEvent, ShownPayload, Story, StoryAction, StoryApproval, StoryDecision } from "@remit/contract";
import { safeJson, safeLine } from "../terminal/safe-text.ts";
import type { Style, Terminal } from "../terminal/terminal.ts";
import { fitText, wrapText } from "../terminal/text-width.ts";
import { duration } from "../terminal/time.ts";

const verdictStyles: Record<StoryDecision["verdict"], Style> = { allow: "green", "require-approval": "yellow", deny: "red" };

/** What an agent saw and did, in order. With `whole`, arguments and results to their last character. */
export function storyWords(story: Story, terminal: Terminal, whole: boolean): string[] {
  const { sequenced, pending } = story.entries;
  // What is told of an action stands between what happened around it.
  const moments = [
    ...story.actions.map((action) => ({ at: action.startedAt, lines: actionWords(action, terminal, whole) })),
    ...story.others.map((entry) => ({ at: entry.event.time, lines: [eventWords(entry, terminal)] })),
  ].toSorted((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
  return [
    `${terminal.style("bold", safeLine(story.id))}  ${story.agents.map(safeLine).join(", ")}  ${story.startedAt} to ${story.endedAt}`,
    ...(story.runs.length === 1 && story.runs[0] === story.id ? [] : story.runs.map((run) => `run    ${safeLine(run)}`)),
    ...story.traceIds.map((trace) => `trace  ${safeLine(trace)}`),
    "",
    ...moments.flatMap(({ lines }) => lines),
    "",
    `${sequenced} entries under signed checkpoints${pending === 0 ? "" : `, ${pending} waiting for theirs`}${story.truncated ? "; there are more than are shown here" : ""}`,
  ];
}

function actionWords(action: StoryAction, terminal: Terminal, whole: boolean): string[] {
  const row = (label: string, text: string) => `    ${terminal.style("dim", label.padEnd(9))} ${text}`;
  const style = action.state === "succeeded" ? "green" : action.state === "waiting" || action.state === "executing" ? "yellow" : "red";
  return [
    `${clock(action.startedAt)} ${terminal.style("bold", safeLine(action.tool ?? "?"))}  ${terminal.style(style, action.state)}  ${terminal.style("dim", action.id)}`,
    ...payloadRows("asked", action.arguments, row, terminal, whole),
    ...action.decisions.map((decision) => row("policy", decisionWords(decision, terminal))),
    ...action.approvals.flatMap((approval) => approvalRows(approval, row)),
    ...payloadRows("saw", action.result, row, terminal, whole),
    ...(action.outcome === null ? [] : [row("outcome", outcomeWords(action.outcome))]),
  ];
}

function decisionWords(decision: StoryDecision, terminal: Terminal): string {
  const why = [decision.code, decision.reason]
    .filter((part) => part !== null)
    .map(safeLine)
    .join(": ");
  const by = decision.policies.length === 0 ? "" : ` by ${decision.policies.map(safeLine).join(", ")}`;
  const read = Object.entries(decision.facts ?? {}).map(([fact, value]) => safeLine(`${fact} ${String(value)}`));
  const duties = decision.obligations.map(obligationName).join(", ");
  const shadows = decision.shadow.map(shadowName).join(", ");
  return `${terminal.style(verdictStyles[decision.verdict], decision.verdict)}${by}${why === "" ? "" : `, ${why}`}${read.length === 0 ? "" : `; it read: ${read.join(", ")}`}${duties === "" ? "" : `; duties: ${duties}`}${shadows === "" ? "" : `; in shadow: ${shadows}`}`;
}

function approvalRows(approval: StoryApproval, row: (label: string, text: string) => string): string[] {
  return [
    row(
      "approval",
      `${safeLine(approval.id)} ${safeLine(approval.state)}${approval.reason === null ? "" : `: ${safeLine(approval.reason)}`}`,
    ),
    ...approval.votes.map((vote) => {
      const comment = vote.comment?.value?.["comment"] ?? vote.comment?.value?.["text"];
      return row(
        "",
        `${clock(vote.at)} ${safeLine(vote.by)} said ${safeLine(vote.vote)}${typeof comment === "string" ? `: ${safeLine(comment)}` : ""}`,
      );
    }),
  ];
}

function payloadRows(
  label: string,
  payload: ShownPayload | null,
  row: (label: string, text: string) => string,
  terminal: Terminal,
  whole: boolean,
): string[] {
  if (payload === null) return [];
  if (payload.state !== "open") return [row(label, `(${payload.state})`)];
  const text = safeJson(whole ? payload.value : gist(payload.value), whole ? 2 : undefined);
  const columns = Math.max(terminal.columns - 15, 20);
  if (!whole) return [row(label, fitText(text, columns))];
  return wrapText(text, columns).map((line, index) => row(index === 0 ? label : "", line));
}

/** What an MCP result is about: its structured content, else its texts. Anything else is its own gist. */
function gist(value: ShownPayload["value"]): unknown {
  if (value?.["structuredContent"] !== undefined) return value["structuredContent"];
  const content = value?.["content"];
  if (!Array.isArray(content)) return value;
  return content.map((block) => textMember(block, "text") ?? textMember(block, "type") ?? "?").join("\n");
}

function outcomeWords({ type, code, reason, durationMs, attempts, injected }: NonNullable<StoryAction["outcome"]>): string {
  const why = [code, reason]
    .filter((part) => part !== null)
    .map(safeLine)
    .join(": ");
  const often = attempts > 1 ? ` in ${attempts} attempts` : "";
  const fault = injected.length > 0 ? ` (injected on purpose: ${injected.map(safeLine).join(", ")})` : "";
  return `${safeLine(type)}${durationMs === null ? "" : ` after ${duration(durationMs)}`}${often}${fault}${why === "" ? "" : `: ${why}`}`;
}

function eventWords({ event }: RecordedEvent, terminal: Terminal): string {
  const { payloads: _commitments, ...data } = event.data;
  const head = `${clock(event.time)} ${safeLine(event.type.replace(/^remit\./, ""))} by ${safeLine(event.actor)}  `;
  return `${head}${terminal.style("dim", fitText(safeJson(data), Math.max(terminal.columns - head.length, 20)))}`;
}

/** `10:00:00.123` of an ISO time. */
function clock(at: string): string {
  return safeLine(at.slice(11, 23));
}

function obligationName(value: unknown): string {
  return safeLine(textMember(value, "type") ?? JSON.stringify(value));
}

function shadowName(value: unknown): string {
  return safeLine(`${textMember(value, "policy") ?? "?"} would ${textMember(value, "verdict") ?? "?"}`);
}

function textMember(value: unknown, name: string): string | undefined {
  const member: unknown = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  return typeof member === "string" ? member : undefined;
}
