import { contextPath, entityKey } from "./cedar-expression.ts";
import type { Condition, EntityName, Expression } from "./cedar-expression.ts";

/** What is known of a question before anybody has asked it: who, what, where; not with which arguments, when, approved by whom. */
export type Known = {
  principal: EntityName;
  action: EntityName;
  resource: EntityName;
  /** Keys of each of the three and of everything that it is in. */
  ancestors: ReadonlyMap<string, ReadonlySet<string>>;
  /** The members of `context` that are known whole. */
  context: Readonly<Record<string, Readonly<Record<string, string | null>>>>;
};

const truth = (value: boolean): Expression => ({ op: "literal", value });

/** What is left of an expression once everything known has been filled in. What would err is left standing. */
export function residual(node: Expression, known: Known): Expression {
  const inner = (child: Expression) => residual(child, known);
  switch (node.op) {
    case "variable":
      return node.name === "context" ? node : { op: "entity", entity: known[node.name] };
    case "member": {
      const value = lookUp(node, known);
      return typeof value === "string" ? { op: "literal", value } : node;
    }
    case "has": {
      const path = contextPath(node.of);
      const [root, ...rest] = path === null ? [] : [...path, ...node.names];
      const record = root === undefined ? undefined : known.context[root];
      if (record === undefined || rest.length !== 1) return node;
      return truth((record[rest[0] ?? ""] ?? null) !== null);
    }
    case "&&": {
      const left = inner(node.left);
      if (left.op === "literal") return left.value === false ? left : inner(node.right);
      const right = inner(node.right);
      return right.op === "literal" && right.value === true ? left : { op: "&&", left, right };
    }
    case "||": {
      const left = inner(node.left);
      if (left.op === "literal") return left.value === true ? left : inner(node.right);
      const right = inner(node.right);
      return right.op === "literal" && right.value === false ? left : { op: "||", left, right };
    }
    case "!": {
      const of = inner(node.of);
      return of.op === "literal" && typeof of.value === "boolean" ? truth(!of.value) : { op: "!", of };
    }
    case "if": {
      const condition = inner(node.condition);
      if (condition.op === "literal") return inner(condition.value === true ? node.yes : node.no);
      return { op: "if", condition, yes: inner(node.yes), no: inner(node.no) };
    }
    case "is": {
      const of = inner(node.of);
      if (of.op !== "entity") return node;
      if (of.entity.type !== node.type) return truth(false);
      return node.within === null ? truth(true) : membership(of, inner(node.within), known);
    }
    case "in":
      return membership(inner(node.left), inner(node.right), known);
    case "==":
    case "!=": {
      const left = inner(node.left);
      const right = inner(node.right);
      const same = equal(left, right);
      return same === null ? { op: node.op, left, right } : truth(same === (node.op === "=="));
    }
    case "contains": {
      const left = inner(node.left);
      const right = inner(node.right);
      if (left.op !== "set") return { op: "contains", left, right };
      const matches = left.items.map((item) => equal(item, right));
      if (matches.includes(true) && !matches.includes(null)) return truth(true);
      return matches.every((match) => match === false) && isConstant(right) ? truth(false) : { op: "contains", left, right };
    }
    default:
      return node;
  }
}

/** Could this come out as `want`, for some arguments, facts and approvals? Yes when in doubt. */
export function canBe(node: Expression, want: boolean): boolean {
  switch (node.op) {
    case "literal":
      return node.value === want;
    case "&&":
      return want ? canBe(node.left, true) && canBe(node.right, true) : canBe(node.left, false) || canBe(node.right, false);
    case "||":
      return want ? canBe(node.left, true) || canBe(node.right, true) : canBe(node.left, false) && canBe(node.right, false);
    case "!":
      return canBe(node.of, !want);
    case "if":
      return (canBe(node.condition, true) && canBe(node.yes, want)) || (canBe(node.condition, false) && canBe(node.no, want));
    default:
      return true;
  }
}

/** Could a policy with these conditions apply; could it fail to apply? Its head is taken to hold. */
export function applicability(conditions: readonly Condition[], known: Known): { can: boolean; must: boolean } {
  const left = conditions.map((condition) => ({ want: condition.kind === "when", body: residual(condition.body, known) }));
  return { can: left.every(({ want, body }) => canBe(body, want)), must: !left.some(({ want, body }) => canBe(body, !want)) };
}

function lookUp(node: Expression, known: Known): string | null | undefined {
  const path = contextPath(node);
  if (path === null || path.length !== 2) return undefined;
  return known.context[path[0] ?? ""]?.[path[1] ?? ""];
}

function membership(left: Expression, right: Expression, known: Known): Expression {
  const candidates = right.op === "set" ? right.items : [right];
  const ancestors = left.op === "entity" ? known.ancestors.get(entityKey(left.entity)) : undefined;
  if (ancestors === undefined) return { op: "in", left, right };
  const keys = candidates.map((candidate) => (candidate.op === "entity" ? entityKey(candidate.entity) : null));
  if (keys.includes(null)) return { op: "in", left, right };
  return truth(keys.some((key) => key !== null && ancestors.has(key)));
}

function isConstant(node: Expression): boolean {
  return node.op === "literal" || node.op === "entity";
}

/** Null: not known. Only two literals of one type, or two entities, are compared here; the rest is left to Cedar. */
function equal(left: Expression, right: Expression): boolean | null {
  if (left.op === "literal" && right.op === "literal" && typeof left.value === typeof right.value) return left.value === right.value;
  if (left.op === "entity" && right.op === "entity") return entityKey(left.entity) === entityKey(right.entity);
  return null;
}
