import type { LedgerProblem, LedgerVerdict } from "@remit/contract";
import { anchorWords } from "./anchor-words.ts";
import { safeLine } from "../terminal/safe-text.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** The first ones explain the others. */
const shown = 10;

export function verdictWords(verdict: LedgerVerdict, terminal: Terminal): string[] {
  const { payloads } = verdict;
  const first = verdict.firstWrong;
  return [
    verdict.ok
      ? `${terminal.style("green", "The ledger verifies.")} ${verdict.size} entries under ${verdict.checkpoints} signed checkpoints, recomputed from the rows.`
      : `${terminal.style("red", "The ledger does not verify.")}${first === null ? "" : ` First wrong: ${problemWords(first)}`}`,
    `  root      ${verdict.root}`,
    `  payloads  ${payloads.sealed} sealed, ${payloads.opened} opened and compared, ${payloads.erased} erased`,
    ...(verdict.pending === 0 ? [] : [`  pending   ${verdict.pending} committed entries wait for their place`]),
    `  ${anchorWords(verdict.anchor)}`,
    ...verdict.problems
      .slice(first === null ? 0 : 1, shown)
      .map((problem) => `  ${terminal.style("red", "also")}      ${problemWords(problem)}`),
    ...(verdict.problemCount > shown ? [`  and ${verdict.problemCount - shown} more`] : []),
  ];
}

function problemWords({ seq, entryId, what }: LedgerProblem): string {
  const where = seq === null ? (entryId === null ? "" : `${safeLine(entryId)}: `) : `seq ${seq}: `;
  return `${where}${safeLine(what)}`;
}
