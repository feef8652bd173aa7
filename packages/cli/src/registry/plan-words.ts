import { planGroups } from "@remit/contract";
import type { Issue, Plan, PlanChange, PlanGroup } from "@remit/contract";
import { issueLine } from "../terminal/failure.ts";
import { safeLine, safeJson } from "../terminal/safe-text.ts";
import type { Style, Terminal } from "../terminal/terminal.ts";

const titles: Record<PlanGroup, string> = {
  permissions: "Who may do what",
  people: "People and teams",
  tools: "Tools",
  policies: "Policies",
  agents: "Agents",
  workflows: "Workflows and queues",
  places: "Environments and upstreams",
};
const signs = { add: "+", change: "~", remove: "-" } as const;
const effects: Record<PlanChange["effect"], { words: string; style: Style }> = {
  widens: { words: "  (allows more)", style: "yellow" },
  narrows: { words: "  (allows less)", style: "green" },
  stops: { words: "  (stops something that works today)", style: "red" },
  neutral: { words: "", style: "dim" },
};

/** A plan in words: permissions first, then the rest, then what should be known. */
export function planWords(plan: Plan, terminal: Terminal, verbose: boolean): string[] {
  if (plan.changes.length === 0) return ["Nothing would change.", ...warningWords(plan, terminal)];
  const lines: string[] = [];
  for (const group of planGroups) {
    const changes = plan.changes.filter((change) => change.group === group);
    if (changes.length === 0) continue;
    lines.push(terminal.style("bold", titles[group]), ...changes.flatMap((change) => changeWords(change, terminal, verbose)), "");
  }
  const count = (action: PlanChange["action"]) => plan.changes.filter((change) => change.action === action).length;
  return [
    ...lines,
    ...warningWords(plan, terminal),
    `${count("add")} to add, ${count("change")} to change, ${count("remove")} to remove. plan ${plan.digest.slice(0, 12)}`,
  ];
}

function changeWords(change: PlanChange, terminal: Terminal, verbose: boolean): string[] {
  const effect = effects[change.effect];
  const lines = [`  ${signs[change.action]} ${safeLine(change.summary)}${terminal.style(effect.style, effect.words)}`];
  // A new thing is told by its summary; how an old one differs is what has to be read.
  if (change.action === "change" || verbose) {
    for (const { pointer, before, after } of change.details) {
      lines.push(
        `      ${safeLine(pointer)}: ${before === undefined ? "" : `${safeJson(before)} → `}${after === undefined ? "removed" : safeJson(after)}`,
      );
    }
    for (const line of change.diff?.trimEnd().split("\n") ?? []) {
      const shown = `      ${safeLine(line)}`;
      lines.push(line.startsWith("+") ? terminal.style("green", shown) : line.startsWith("-") ? terminal.style("red", shown) : shown);
    }
  }
  return lines;
}

function warningWords(plan: Plan, terminal: Terminal): string[] {
  return plan.warnings.map((warning) => `${terminal.style("yellow", "warning")} ${issueLine(warning as Issue)}`);
}
