import type { CedarValueJson } from "@cedar-policy/cedar-wasm/nodejs";
import { type Evaluation, inOrder } from "@remit/core";
import { entityKey } from "./cedar-expression.ts";
import type { Expression } from "./cedar-expression.ts";
import type { CompiledPolicy } from "./compiled-policy.ts";
import type { Known } from "./residual.ts";

/** Cedar's values, as far as they are compared here. An entity by its key; a set of at most one kind of value. */
type Value = string | number | boolean | Entity | readonly Scalar[] | { record: Record<string, CedarValueJson> };
type Scalar = string | number | boolean | Entity;
type Entity = { entity: string };

/** Not sure: Cedar answers. */
const unsure = undefined;

/**
 * Which of a slice's policies apply, where that is plain: text, whole numbers and truth compared with their like, membership of what
 * is known. Null for everything else, an error above all: then Cedar is asked, which takes a hundred times as long. Where this
 * answers, Cedar answers the same: a law of the tests, and checked against Cedar while it runs.
 *
 * @param context as it was projected for Cedar, so of the types that the pinned schema promises
 */
export function evaluateDirectly(policies: readonly CompiledPolicy[], known: Known, context: CedarValueJson): Evaluation | null {
  const satisfied: string[] = [];
  const root = valueOf(context);
  for (const { rule, conditions } of policies) {
    let applies = true;
    for (const { kind, body } of conditions) {
      const holds = evaluate(body, known, root);
      if (typeof holds !== "boolean") return null;
      applies = holds === (kind === "when");
      // What stands behind a condition that fails is not evaluated, so it cannot err.
      if (!applies) break;
    }
    if (applies) satisfied.push(rule.id);
  }
  return { satisfied: inOrder(satisfied), errors: [] };
}

function evaluate(node: Expression, known: Known, context: Value | undefined): Value | undefined {
  switch (node.op) {
    case "literal":
      return typeof node.value === "number" ? safe(node.value) : node.value;
    case "entity":
      return { entity: entityKey(node.entity) };
    case "variable":
      return node.name === "context" ? context : { entity: entityKey(known[node.name]) };
    case "member": {
      const of = evaluate(node.of, known, context);
      return isRecord(of) && Object.hasOwn(of.record, node.name) ? valueOf(of.record[node.name]) : unsure;
    }
    case "has":
      return hasMembers(evaluate(node.of, known, context), node.names);
    case "&&":
    case "||": {
      const left = evaluate(node.left, known, context);
      if (typeof left !== "boolean") return unsure;
      if (left === (node.op === "||")) return left;
      const right = evaluate(node.right, known, context);
      return typeof right === "boolean" ? right : unsure;
    }
    case "!": {
      const of = evaluate(node.of, known, context);
      return typeof of === "boolean" ? !of : unsure;
    }
    case "if": {
      const condition = evaluate(node.condition, known, context);
      return typeof condition === "boolean" ? evaluate(condition ? node.yes : node.no, known, context) : unsure;
    }
    case "==":
    case "!=": {
      const same = equal(evaluate(node.left, known, context), evaluate(node.right, known, context));
      return same === unsure ? unsure : same === (node.op === "==");
    }
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "+":
    case "-":
    case "*":
      return calculate(node.op, evaluate(node.left, known, context), evaluate(node.right, known, context));
    case "like": {
      const of = evaluate(node.of, known, context);
      return typeof of === "string" ? isLike(of, node.pieces) : unsure;
    }
    case "is": {
      if (node.of.op !== "variable" || node.of.name === "context") return unsure;
      if (known[node.of.name].type !== node.type) return false;
      return node.within === null ? true : isIn(evaluate(node.of, known, context), evaluate(node.within, known, context), known);
    }
    case "in":
      return isIn(evaluate(node.left, known, context), evaluate(node.right, known, context), known);
    case "contains": {
      const set = evaluate(node.left, known, context);
      return isSet(set) ? containing(set, evaluate(node.right, known, context)) : unsure;
    }
    case "set":
      return setOf(node.items.map((item) => evaluate(item, known, context)));
    case "isEmpty": {
      const of = evaluate(node.of, known, context);
      return isSet(of) ? of.length === 0 : unsure;
    }
    default:
      return unsure;
  }
}

function valueOf(json: CedarValueJson | undefined): Value | undefined {
  if (typeof json === "string" || typeof json === "boolean") return json;
  if (typeof json === "number") return safe(json);
  if (Array.isArray(json)) return setOf(json.map(elementOf));
  if (typeof json !== "object" || json === null) return unsure;
  // What Cedar would take for an entity, or for a value of an extension.
  if ("__entity" in json || "__extn" in json) return unsure;
  return { record: json };
}

function elementOf(json: CedarValueJson): Value | undefined {
  if (typeof json === "object" && json !== null && !Array.isArray(json) && "__entity" in json) {
    const { type, id } = (json as { __entity: { type: string; id: string } }).__entity;
    return { entity: entityKey({ type, id }) };
  }
  return valueOf(json);
}

function setOf(items: readonly (Value | undefined)[]): readonly Scalar[] | undefined {
  const scalars = items.filter(isScalar);
  const kinds = new Set(scalars.map((item) => typeof item));
  return scalars.length === items.length && kinds.size <= 1 ? scalars : unsure;
}

function isScalar(value: Value | undefined): value is Scalar {
  return value !== undefined && (typeof value !== "object" || "entity" in value);
}

function isSet(value: Value | undefined): value is readonly Scalar[] {
  return Array.isArray(value);
}

function isRecord(value: Value | undefined): value is { record: Record<string, CedarValueJson> } {
  return typeof value === "object" && "record" in value;
}

function hasMembers(of: Value | undefined, names: readonly string[]): boolean | undefined {
  let here = of;
  for (const name of names) {
    if (!isRecord(here)) return unsure;
    if (!Object.hasOwn(here.record, name)) return false;
    here = valueOf(here.record[name]);
  }
  return true;
}

/** Of one kind; values of two kinds are left to Cedar. */
function equal(left: Value | undefined, right: Value | undefined): boolean | undefined {
  if (!isScalar(left) || !isScalar(right) || typeof left !== typeof right) return unsure;
  return typeof left === "object" && typeof right === "object" ? left.entity === right.entity : left === right;
}

function containing(set: readonly Scalar[], item: Value | undefined): boolean | undefined {
  if (!isScalar(item)) return unsure;
  const matches = set.map((element) => equal(element, item));
  return matches.includes(unsure) ? unsure : matches.includes(true);
}

/** Only whole numbers that are exact here: Cedar's have 64 bits, and beyond them it errs. */
function safe(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : unsure;
}

function calculate(
  op: "<" | "<=" | ">" | ">=" | "+" | "-" | "*",
  left: Value | undefined,
  right: Value | undefined,
): number | boolean | undefined {
  if (typeof left !== "number" || typeof right !== "number") return unsure;
  switch (op) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
    case "+":
      return safe(left + right);
    case "-":
      return safe(left - right);
    case "*":
      return safe(left * right);
  }
}

/** Of principal, action and resource all that they are in is known; of nothing else. */
function isIn(left: Value | undefined, right: Value | undefined, known: Known): boolean | undefined {
  if (!isScalar(left) || typeof left !== "object") return unsure;
  const ancestors = known.ancestors.get(left.entity);
  const candidates = isSet(right) ? right : isScalar(right) ? [right] : null;
  if (ancestors === undefined || candidates === null) return unsure;
  let within = false;
  for (const candidate of candidates) {
    if (typeof candidate !== "object") return unsure;
    within ||= ancestors.has(candidate.entity);
  }
  return within;
}

function isLike(text: string, pieces: readonly string[]): boolean {
  const first = pieces[0] ?? "";
  if (pieces.length === 1) return text === first;
  if (!text.startsWith(first)) return false;
  let from = first.length;
  for (let index = 1; index < pieces.length - 1; index += 1) {
    const piece = pieces[index] ?? "";
    const found = text.indexOf(piece, from);
    if (found < 0) return false;
    from = found + piece.length;
  }
  const last = pieces.at(-1) ?? "";
  return text.length - last.length >= from && text.endsWith(last);
}
