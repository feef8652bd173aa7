import type { Expr } from "@cedar-policy/cedar-wasm/nodejs";

type Operator = "&&" | "||";

/** The operands of a chain of one operator, from left to right, however it is bracketed. */
export function operandsOf(json: Expr, operator: Operator): Expr[] {
  const body = bodyOf(json, operator);
  return body === null ? [json] : [...operandsOf(body.left, operator), ...operandsOf(body.right, operator)];
}

/**
 * The same condition with its chains of `&&` and `||` bracketed evenly. Both are associative, evaluation stays from left to right,
 * and a list of a hundred alternatives is seven deep and not a hundred, which Cedar's JSON reader would refuse.
 */
export function balanced(json: Expr): Expr {
  for (const operator of ["&&", "||"] as const)
    if (bodyOf(json, operator) !== null) return join(operandsOf(json, operator).map(balanced), operator);
  return mapChildren(json, balanced);
}

export function join(operands: readonly Expr[], operator: Operator): Expr {
  const [only] = operands;
  if (only === undefined) return { Value: operator === "&&" };
  if (operands.length === 1) return only;
  const middle = Math.ceil(operands.length / 2);
  const [left, right] = [join(operands.slice(0, middle), operator), join(operands.slice(middle), operator)];
  return operator === "&&" ? { "&&": { left, right } } : { "||": { left, right } };
}

/** The condition with every direct subexpression replaced. Values and names are left alone. */
export function mapChildren(json: Expr, change: (child: Expr) => Expr): Expr {
  const [operator, body] = Object.entries(json as Record<string, unknown>)[0] ?? ["Value", true];
  if (operator === "Value" || operator === "Var" || operator === "Slot") return json;
  if (Array.isArray(body)) return { [operator]: body.map((child) => change(child as Expr)) };
  const named = Object.entries(body as Record<string, unknown>).map(([name, value]) => {
    const isChild = typeof value === "object" && value !== null && !Array.isArray(value);
    return [name, isChild ? change(value as Expr) : value];
  });
  return { [operator]: Object.fromEntries(named) };
}

function bodyOf(json: Expr, operator: Operator): { left: Expr; right: Expr } | null {
  return operator in json ? (json as Record<Operator, { left: Expr; right: Expr }>)[operator] : null;
}
