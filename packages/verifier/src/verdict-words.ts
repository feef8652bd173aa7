import type { Problem } from "./problems.ts";
import { shown } from "./problems.ts";
import type { Verdict } from "./verdict.ts";

const most = 10;

/** The verdict for a person: the first line says it all. */
export function verdictWords(verdict: Verdict): string {
  const { population, payloads, key, anchoring, problems } = verdict;
  const [first, ...others] = problems;
  const lines = [
    `${headline(verdict)}${first === undefined ? "" : `: ${problemWords(first)}`}`,
    ...(key.trusted
      ? []
      : [
          "  UNTRUSTED KEY: the bundle was checked with the keys that it brings along itself. Anybody can make such a bundle. Name the ledger's key with --key.",
        ]),
    ...(population === null
      ? []
      : [
          `  ledger    ${shown(verdict.origin ?? "")}, exported ${shown(verdict.exportedAt ?? "")} by ${shown(verdict.exportedBy ?? "")}`,
          `  range     entries ${population.first} to ${population.last}: ${population.count} claimed, ${verdict.checked} read, under a checkpoint of ${population.treeSize}`,
          `  root      ${population.root}`,
          `  payloads  ${payloadWords(payloads)}`,
        ]),
    ...key.signedBy.map((name) => `  signed by ${shown(name)}`),
    `  anchored  ${anchorWords(anchoring)}`,
    ...verdict.warnings.map((warning) => `  note      ${warning}`),
    ...others.slice(0, most).map((problem) => `  also      ${problemWords(problem)}`),
    ...(verdict.problemCount > most + 1 ? [`  and ${verdict.problemCount - most - 1} more`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

function headline({ verdict, key }: Verdict): string {
  switch (verdict) {
    case "ok":
      return "OK: every entry is what was signed, and all of them are there";
    case "tampered":
      return "TAMPERED";
    case "incomplete":
      return key.trusted ? "INCOMPLETE" : "UNTRUSTED KEY, nothing is proved";
    default:
      return "UNANCHORED: every entry is what was signed, but nobody outside has seen it";
  }
}

function problemWords({ seq, what }: Problem): string {
  return seq === null ? what : `seq ${seq}: ${what}`;
}

function payloadWords({ form, committed, sealed, open, erased }: Verdict["payloads"]): string {
  if (form === "none") return "not in the bundle";
  return `${committed}: ${open} opened and compared with their commitments, ${sealed} sealed, ${erased} erased (so says the exporter; their proofs hold)`;
}

function anchorWords({ status, organisations, kept }: Verdict["anchoring"]): string {
  const also = kept.length === 0 ? "" : `; it continues the checkpoints that you kept (${kept.join(", ")})`;
  if (status === "WITNESSED")
    return `WITNESSED(${organisations.length} ${organisations.length === 1 ? "organisation" : "organisations"}): ${organisations.map((name) => shown(name)).join(", ")}${also}`;
  return `${status}${also}`;
}
