import type { AgentAbilities, Issue, PolicyExplanation, policyFindingSchema, PolicyTestReport } from "@remit/contract";
import type { z } from "zod";
import { issueLine } from "../terminal/failure.ts";
import { safeLine } from "../terminal/safe-text.ts";
import type { Style, Terminal } from "../terminal/terminal.ts";

const severityStyles = { error: "red", warning: "yellow", note: "dim" } as const;
const verdictStyles: Record<PolicyExplanation["verdict"], Style> = { allow: "green", "require-approval": "yellow", deny: "red" };
const answerStyles: Record<AgentAbilities["abilities"][number]["answer"], Style> = {
  allowed: "green",
  asks: "yellow",
  depends: "cyan",
  never: "red",
};
const holdsMarks = { yes: "✓", no: "✗", error: "!" } as const;

export function findingWords(findings: readonly z.infer<typeof policyFindingSchema>[], terminal: Terminal): string[] {
  if (findings.length === 0) return ["Nothing is wrong with these policies."];
  return findings.map(({ severity, policy, ...issue }) => {
    const subject = policy === undefined ? "" : ` (${safeLine(policy)})`;
    return `${terminal.style(severityStyles[severity], severity)} ${issueLine(issue as Issue)}${subject}`;
  });
}

export function testWords(report: PolicyTestReport, terminal: Terminal): string[] {
  const { mutation } = report;
  return [
    ...report.cases
      .filter((one) => !one.ok)
      .flatMap((one) => [
        `${terminal.style("red", "✗")} ${safeLine(one.name)}  ${safeLine(one.file)}:${one.line}`,
        ...one.differences.map((difference) => `    ${safeLine(difference)}`),
      ]),
    `${report.passed} passed, ${report.failed} failed`,
    `${mutation.noticed} of ${mutation.changes} small changes of the rules would be noticed`,
    ...mutation.survivors.map(
      (one) => `  ${terminal.style("yellow", "not noticed")} ${safeLine(one.change)}  ${safeLine(one.policy)} ${safeLine(one.source)}`,
    ),
  ];
}

export function explanationWords(answer: PolicyExplanation, terminal: Terminal): string[] {
  const { verdict } = answer;
  return [
    `${terminal.style(verdictStyles[verdict], verdict)}${answer.code === null ? "" : ` ${answer.code}`}${answer.reason === null ? "" : `: ${safeLine(answer.reason)}`}`,
    ...(answer.approvals.length === 0 ? [] : [`  asks         ${answer.approvals.map(safeLine).join(", ")}`]),
    ...(answer.obligations.length === 0 ? [] : [`  obligations  ${answer.obligations.map(safeLine).join(", ")}`]),
    ...(answer.determining.length === 0 ? [] : [`  determined by ${answer.determining.map(safeLine).join(", ")}`]),
    "",
    ...answer.policies.flatMap((policy) => [
      `${holdsMarks[policy.applies]} ${policy.kind} ${terminal.style("bold", safeLine(policy.id))}${policy.shadow ? " (shadow: decides nothing)" : ""}  ${safeLine(policy.source)}`,
      ...policy.conditions.map((condition) => `    ${holdsMarks[condition.holds]} ${safeLine(condition.text)}`),
    ]),
    ...answer.near.map((one) => `  near  ${safeLine(one.id)}: ${safeLine(one.text)}  ${safeLine(one.source)}`),
    ...(answer.changes.length === 0 ? [] : ["", "What would change it:"]),
    ...answer.changes.map((one) => `  ${terminal.style(verdictStyles[one.verdict], one.verdict)} if ${safeLine(one.change)}`),
  ];
}

export function abilityWords(answer: AgentAbilities, terminal: Terminal): string[] {
  return [
    `${safeLine(answer.agent)}, tier ${answer.tier}, under ${safeLine(answer.policy)}`,
    ...answer.abilities.flatMap((one) => [
      `  ${terminal.style(answerStyles[one.answer], one.answer.padEnd(8))} ${safeLine(one.tool)} (${one.effect}) in ${safeLine(one.environment)}${one.queue === null ? "" : ` for ${safeLine(one.queue)}`}${one.teams.length === 0 ? "" : `: ${one.teams.map(safeLine).join(", ")}`}`,
      ...one.lines.map((line) => `             ${safeLine(line)}`),
    ]),
  ];
}
