import { contextPath, everyNode } from "./cedar-expression.ts";
import type { Condition, Expression } from "./cedar-expression.ts";

/**
 * The teams whose approval opens a gate, or why its use of approvals is refused. An approval may only ever open: it is asked for
 * in `unless`, by `context.approvals.contains(Remit::Team::"…")` and its plural forms joined by `&&` and `||`. Asking for more
 * approvals then never closes anything, which is what makes it right to stop asking at a fixpoint.
 */
export function approvalUse(conditions: readonly Condition[]): { teams: string[]; misuse: string | null } {
  const teams = new Set<string>();
  let misuse: string | null = null;
  for (const condition of conditions) {
    if (condition.kind === "when") {
      if (readsApprovals(condition.body)) misuse = "context.approvals may be read in `unless` only, where an approval opens a gate";
    } else if (!collect(condition.body, teams)) {
      misuse = 'context.approvals may only be asked `.contains(Remit::Team::"name")` (or containsAny, containsAll), joined by && and ||';
    }
  }
  return { teams: [...teams], misuse };
}

function collect(node: Expression, teams: Set<string>): boolean {
  if (node.op === "&&" || node.op === "||") return collect(node.left, teams) && collect(node.right, teams);
  if ((node.op === "contains" || node.op === "containsAny" || node.op === "containsAll") && isApprovals(node.left)) {
    const asked = node.right.op === "set" ? node.right.items : [node.right];
    for (const item of asked) {
      if (item.op !== "entity" || item.entity.type !== "Remit::Team") return false;
      teams.add(item.entity.id);
    }
    return true;
  }
  return !readsApprovals(node);
}

function readsApprovals(node: Expression): boolean {
  let found = false;
  everyNode(node, (inner) => {
    found ||= isApprovals(inner) || (inner.op === "has" && contextPath(inner.of)?.length === 0 && inner.names[0] === "approvals");
  });
  return found;
}

function isApprovals(node: Expression): boolean {
  const path = contextPath(node);
  return path !== null && path.length === 1 && path[0] === "approvals";
}
