import type { Expr } from "@cedar-policy/cedar-wasm/nodejs";
import { conditionsOf } from "./cedar-expression.ts";
import type { CompiledPolicy } from "./compiled-policy.ts";
import { mapChildren } from "./condition-json.ts";
import { conditionWords } from "./condition-words.ts";

/** A policy with one small thing changed; null: left out altogether. */
export type Mutant = { number: number; changed: CompiledPolicy | null; change: string };

const swaps = { "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==" } as const;
type Comparison = keyof typeof swaps;

/** The small changes of a policy that its tests ought to notice: the slips that people make when they write one. */
export function mutantsOf(policy: CompiledPolicy): Mutant[] {
  const mutants: Mutant[] = [{ number: 0, changed: null, change: "left out" }];
  policy.json.conditions.forEach(({ kind, body }, number) => {
    for (const { json, change } of variants(body)) {
      const conditions = policy.json.conditions.map((one, index) => (index === number ? { kind, body: json } : one));
      const changed = { ...policy, json: { ...policy.json, conditions } };
      mutants.push({ number: mutants.length, changed: { ...changed, conditions: conditionsOf(changed.json) }, change });
    }
  });
  return mutants;
}

function variants(json: Expr): { json: Expr; change: string }[] {
  const found: { json: Expr; change: string }[] = [];
  const [operator, body] = Object.entries(json as Record<string, unknown>)[0] ?? [];
  const sides = body as { left: Expr; right: Expr };
  if (operator !== undefined && operator in swaps) {
    const swapped = { [swaps[operator as Comparison]]: sides } as unknown as Expr;
    found.push({ json: swapped, change: `"${words(json)}" turned into "${words(swapped)}"` });
    for (const side of ["left", "right"] as const) {
      const value = "Value" in sides[side] ? sides[side].Value : null;
      if (typeof value !== "number") continue;
      for (const other of [value - 1, value + 1]) {
        const moved = { [operator]: { ...sides, [side]: { Value: other } } } as unknown as Expr;
        found.push({ json: moved, change: `"${words(json)}" moved to ${other}` });
      }
    }
  }
  if (operator === "&&" || operator === "||") {
    found.push(
      { json: sides.left, change: `"${words(sides.right)}" left out` },
      { json: sides.right, change: `"${words(sides.left)}" left out` },
    );
  }
  // Each child in turn is varied and the others stay: mapChildren visits them in a fixed order.
  const children: Expr[] = [];
  mapChildren(json, (child) => {
    children.push(child);
    return child;
  });
  children.forEach((child, number) => {
    for (const variant of variants(child)) {
      let index = -1;
      const changed = mapChildren(json, (one) => {
        index += 1;
        return index === number ? variant.json : one;
      });
      found.push({ json: changed, change: variant.change });
    }
  });
  return found;
}

function words(json: Expr): string {
  const head = { principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" } } as const;
  const [condition] = conditionsOf({ effect: "permit", ...head, conditions: [{ kind: "when", body: json }] });
  return condition === undefined ? "" : conditionWords(condition.body);
}
