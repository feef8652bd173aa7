import type { Decision, RunBinding } from "@remit/contract";

/** The gate that `--require-human-approval` adds. */
export const runGate = "run.require-human-approval";

/**
 * A decision with the run's own gate added: a tool that the run names waits for the run's approvers, whatever policy says.
 * It can only restrict: a denial stays one, a permission becomes a question, a question asks one team more.
 */
export function withRunApproval(
  decision: Decision,
  run: RunBinding | null,
  tool: { qualifiedName: string; name: string },
  approvals: readonly string[],
): Decision {
  if (decision.type === "deny" || run === null) return decision;
  if (!run.requireApproval.some((name) => name === tool.qualifiedName || name === tool.name)) return decision;
  if (approvals.includes(run.approvers)) return decision;
  const asked = { team: run.approvers, gates: [runGate], reasons: ["whoever started the run wants a person to look first"] };
  const policies = [...decision.policies, runGate];
  if (decision.type === "allow") return { ...decision, type: "require-approval", approvals: [asked], policies };
  const others = decision.approvals.filter(({ team }) => team !== run.approvers);
  const same = decision.approvals.find(({ team }) => team === run.approvers);
  return {
    ...decision,
    approvals: [
      ...others,
      same === undefined ? asked : { ...same, gates: [...same.gates, runGate], reasons: [...(same.reasons ?? []), ...asked.reasons] },
    ],
    policies,
  };
}
