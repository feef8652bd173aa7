import type { Expr, PolicyJson, PrincipalConstraint, ActionConstraint, ResourceConstraint } from "@cedar-policy/cedar-wasm/nodejs";

/** A Cedar condition, as our analyses read it. */
export type Expression =
  | { op: "literal"; value: string | number | boolean }
  | { op: "entity"; entity: EntityName }
  | { op: "variable"; name: "principal" | "action" | "resource" | "context" }
  | { op: "member"; of: Expression; name: string }
  | { op: "has"; of: Expression; names: readonly string[] }
  | { op: BinaryOperator; left: Expression; right: Expression }
  | { op: "!" | "neg" | "isEmpty"; of: Expression }
  /** `pieces`: the text between the stars of the pattern; one more than it has stars. */
  | { op: "like"; of: Expression; pieces: readonly string[] }
  | { op: "is"; of: Expression; type: string; within: Expression | null }
  | { op: "if"; condition: Expression; yes: Expression; no: Expression }
  | { op: "set"; items: readonly Expression[] }
  | { op: "record"; members: ReadonlyMap<string, Expression> }
  /** A function of one of Cedar's extensions (`ip`, `datetime`, `decimal`, …). */
  | { op: "call"; name: string; arguments: readonly Expression[] };

const binaryOperators = [
  "&&",
  "||",
  "==",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "+",
  "-",
  "*",
  "in",
  "contains",
  "containsAll",
  "containsAny",
] as const;
export type BinaryOperator = (typeof binaryOperators)[number];

export type EntityName = { type: string; id: string };
export type Condition = { kind: "when" | "unless"; body: Expression };

/** What a policy's head says of one of principal, action and resource. */
export type Scope = { type: string | null; within: readonly EntityName[] | null; exact: boolean };

/** The key of an entity in sets of entities. */
export function entityKey(entity: EntityName): string {
  return `${entity.type}::${JSON.stringify(entity.id)}`;
}

export function conditionsOf(policy: PolicyJson): Condition[] {
  return policy.conditions.map((clause) => ({ kind: clause.kind, body: expression(clause.body) }));
}

export function scopeOf(constraint: PrincipalConstraint | ActionConstraint | ResourceConstraint): Scope {
  switch (constraint.op) {
    case "All":
      return { type: null, within: null, exact: false };
    case "==":
      return { type: null, within: [slotless(constraint)], exact: true };
    case "in":
      return { type: null, within: "entities" in constraint ? constraint.entities.map(entityName) : [slotless(constraint)], exact: false };
    case "is":
      return { type: constraint.entity_type, within: constraint.in === undefined ? null : [slotless(constraint.in)], exact: false };
  }
}

/** Does the head hold of this entity? `ancestors` holds the keys of the entity itself and of everything that it is in. */
export function scopeHolds(scope: Scope, self: EntityName, ancestors: ReadonlySet<string>): boolean {
  if (scope.type !== null && scope.type !== self.type) return false;
  if (scope.within === null) return true;
  if (scope.exact) return scope.within.some((entity) => entityKey(entity) === entityKey(self));
  return scope.within.some((entity) => ancestors.has(entityKey(entity)));
}

function slotless(constraint: object): EntityName {
  if (!("entity" in constraint)) throw new Error("a template has no fixed head");
  return entityName(constraint.entity);
}

function entityName(json: unknown): EntityName {
  const inner = isRecord(json) && isRecord(json["__entity"]) ? json["__entity"] : json;
  if (!isRecord(inner) || typeof inner["type"] !== "string" || typeof inner["id"] !== "string") throw new Error("expected an entity");
  return { type: inner["type"], id: inner["id"] };
}

function expression(json: Expr): Expression {
  const entry = Object.entries(json as Record<string, unknown>)[0];
  if (entry === undefined) throw new Error("an empty expression");
  const [op, body] = entry;
  const child = (value: unknown) => expression(value as Expr);
  const part = (name: string): unknown => (isRecord(body) ? body[name] : undefined);
  if (isBinary(op)) return { op, left: child(part("left")), right: child(part("right")) };
  switch (op) {
    case "Value":
      if (typeof body === "string" || typeof body === "number" || typeof body === "boolean") return { op: "literal", value: body };
      return { op: "entity", entity: entityName(body) };
    case "Var":
      return { op: "variable", name: body as "principal" };
    case ".":
      return { op: "member", of: child(part("left")), name: String(part("attr")) };
    case "has": {
      const names = part("attr");
      return { op: "has", of: child(part("left")), names: Array.isArray(names) ? names.map(String) : [String(names)] };
    }
    case "!":
    case "neg":
    case "isEmpty":
      return { op, of: child(part("arg")) };
    case "like":
      return { op: "like", of: child(part("left")), pieces: piecesOf(part("pattern") as ("Wildcard" | { Literal: string })[]) };
    case "is": {
      const within = part("in");
      return { op: "is", of: child(part("left")), type: String(part("entity_type")), within: within === undefined ? null : child(within) };
    }
    case "if-then-else":
      return { op: "if", condition: child(part("if")), yes: child(part("then")), no: child(part("else")) };
    case "Set":
      return { op: "set", items: (body as unknown[]).map(child) };
    case "Record":
      return { op: "record", members: new Map(Object.entries(body as object).map(([name, value]) => [name, child(value)])) };
    default:
      return { op: "call", name: op, arguments: (Array.isArray(body) ? body : Object.values(body as object)).map(child) };
  }
}

function piecesOf(pattern: readonly ("Wildcard" | { Literal: string })[]): string[] {
  const pieces = [""];
  for (const one of pattern) {
    if (one === "Wildcard") pieces.push("");
    else pieces.push((pieces.pop() ?? "") + one.Literal);
  }
  return pieces;
}

export function childrenOf(node: Expression): readonly Expression[] {
  switch (node.op) {
    case "literal":
    case "entity":
    case "variable":
      return [];
    case "member":
    case "has":
    case "!":
    case "neg":
    case "isEmpty":
    case "like":
      return [node.of];
    case "is":
      return node.within === null ? [node.of] : [node.of, node.within];
    case "if":
      return [node.condition, node.yes, node.no];
    case "set":
      return node.items;
    case "record":
      return [...node.members.values()];
    case "call":
      return node.arguments;
    default:
      return [node.left, node.right];
  }
}

export function depthOf(node: Expression): number {
  return 1 + Math.max(0, ...childrenOf(node).map(depthOf));
}

export function everyNode(node: Expression, visit: (node: Expression) => void): void {
  visit(node);
  for (const child of childrenOf(node)) everyNode(child, visit);
}

/** `context.a.b` as `["a", "b"]`; null for anything else. */
export function contextPath(node: Expression): string[] | null {
  if (node.op === "variable") return node.name === "context" ? [] : null;
  if (node.op !== "member") return null;
  const path = contextPath(node.of);
  return path === null ? null : [...path, node.name];
}

function isBinary(op: string): op is BinaryOperator {
  return (binaryOperators as readonly string[]).includes(op);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
