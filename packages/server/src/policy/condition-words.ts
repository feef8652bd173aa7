import { contextPath } from "./cedar-expression.ts";
import type { Expression } from "./cedar-expression.ts";

/** A condition in plain words, for people who do not read Cedar. */
export function conditionWords(node: Expression): string {
  const words = conditionWords;
  const path = contextPath(node);
  if (path !== null) return pathInWords(path);
  switch (node.op) {
    case "literal":
      return typeof node.value === "string" ? JSON.stringify(node.value) : String(node.value);
    case "entity":
      return `${kindWords[node.entity.type] ?? node.entity.type} ${node.entity.id}`;
    case "variable":
      return variableWords[node.name];
    case "member":
      return `${node.name} of ${words(node.of)}`;
    case "has": {
      const base = contextPath(node.of);
      return base === null ? `${words(node.of)} has ${node.names.join(".")}` : `${pathInWords([...base, ...node.names])} is given`;
    }
    case "&&":
    case "||":
      return chainWords(operands(node, node.op), node.op);
    case "!":
      return negated(node.of);
    case "neg":
      return `-${words(node.of)}`;
    case "isEmpty":
      return `${words(node.of)} is empty`;
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "in":
    case "contains":
    case "containsAll":
    case "containsAny":
      return `${words(node.left)} ${relationWords[node.op]} ${words(node.right)}`;
    case "+":
    case "-":
    case "*":
      return `${words(node.left)} ${node.op} ${words(node.right)}`;
    case "like":
      return `${words(node.of)} looks like ${patternWords(node)}`;
    case "is":
      return `${words(node.of)} is ${article(kindWords[node.type] ?? node.type)}${node.within === null ? "" : ` in ${words(node.within)}`}`;
    case "if":
      return `if ${words(node.condition)} then ${words(node.yes)} else ${words(node.no)}`;
    case "set":
      return `[${node.items.map(words).join(", ")}]`;
    case "record":
      return `{${[...node.members].map(([name, value]) => `${name}: ${words(value)}`).join(", ")}}`;
    case "call":
      return `${node.name}(${node.arguments.map(words).join(", ")})`;
  }
}

/** The opposite, without a double negation and with the comparison turned round. */
export function negated(node: Expression): string {
  switch (node.op) {
    case "!":
      return conditionWords(node.of);
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=":
      return conditionWords({ ...node, op: opposite[node.op] });
    case "||":
      return chainWords(
        operands(node, "||").map((operand) => ({ op: "!", of: operand })),
        "&&",
      );
    case "like":
      return `${conditionWords(node.of)} does not look like ${patternWords(node)}`;
    case "has":
      return conditionWords(node).replace(/ is given$/, " is not given");
    case "literal":
      return String(node.value !== true);
    default:
      return `not (${conditionWords(node)})`;
  }
}

type Like = Extract<Expression, { op: "like" }>;

/** More patterns than these are counted, not listed. */
const shownPatterns = 5;

function operands(node: Expression, op: "&&" | "||"): Expression[] {
  return node.op === op && "left" in node ? [...operands(node.left, op), ...operands(node.right, op)] : [node];
}

function chainWords(nodes: readonly Expression[], op: "&&" | "||"): string {
  return patternList(nodes, op) ?? nodes.map(bracket).join(op === "&&" ? " and " : " or ");
}

/** A list of patterns for one text, as one: "looks like one of …", or of what is denied, "looks like none of …". */
function patternList(nodes: readonly Expression[], op: "&&" | "||"): string | null {
  const likes = nodes.flatMap((node): Like[] => {
    const inner = op === "||" ? node : node.op === "!" ? node.of : node;
    return inner.op === "like" && (op === "||" || node.op === "!") ? [inner] : [];
  });
  const subjects = new Set(likes.map((like) => conditionWords(like.of)));
  if (likes.length < 3 || likes.length < nodes.length || subjects.size !== 1) return null;
  const more = likes.length > shownPatterns ? ` and ${likes.length - shownPatterns} more` : "";
  return `${[...subjects].join("")} looks like ${op === "||" ? "one" : "none"} of ${likes.slice(0, shownPatterns).map(patternWords).join(", ")}${more}`;
}

function patternWords(node: Like): string {
  return JSON.stringify(node.pieces.join("*"));
}

function bracket(node: Expression): string {
  const words = conditionWords(node);
  return node.op === "&&" || node.op === "||" || node.op === "if" ? `(${words})` : words;
}

function pathInWords(path: readonly string[]): string {
  const [root, ...rest] = path;
  if (root === undefined) return "the context";
  const known = factWords[rest.join(".")];
  if (root === "facts" && known !== undefined) return known;
  if (root === "input") return rest.length === 0 ? "the arguments" : rest.join(".");
  if (root === "approvals") return "the approvals";
  return `the ${root}'s ${rest.join(".")}`;
}

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
}

const opposite = { "==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<" } as const;
const relationWords = {
  "==": "is",
  "!=": "is not",
  "<": "is less than",
  "<=": "is at most",
  ">": "is more than",
  ">=": "is at least",
  in: "is in",
  contains: "contains",
  containsAll: "contains all of",
  containsAny: "contains any of",
} as const;
const variableWords = { principal: "the agent", action: "the tool", resource: "the place", context: "the context" } as const;
const kindWords: Record<string, string> = {
  "Remit::Agent": "agent",
  "Remit::Role": "role",
  "Remit::Action": "tool",
  "Remit::Queue": "queue",
  "Remit::Environment": "environment",
  "Remit::EnvironmentType": "type",
  "Remit::Team": "team",
};
const factWords: Record<string, string> = {
  weekday: "the weekday",
  hour: "the hour",
  date: "the date",
  runActions: "the actions of this run so far",
  runActionsLimit: "the run's limit of actions",
  actionsThisMinute: "the agent's actions this minute",
  actionsToday: "the agent's actions today",
  amountToday: "the amount already spent today",
};
