import { createContext, Script } from "node:vm";
import type { Json, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";

/** A schema is somebody else's program: what it may cost to hold a value to it, as far as that can be told by looking. */
type CheckCost = {
  /** Quantifiers of its worst pattern. */
  quantifiers: number;
  /** It may cost anything, whatever the value: quantified groups, references below alternatives, lists whose items must differ. */
  unbounded: boolean;
};

/** No value that somebody means takes longer; everything else waits meanwhile. */
const longestMs = 250;
/** After one that took too long, values of half its size and more are not tried for a while: one of these for each call would be enough. */
const restMs = 10_000;
/** Steps that are taken without a watch. */
const freely = 1_000_000;

/** A check that ends in time, whatever schema and value are; `size` is how long the value is as text. */
export type BoundedCheck = (value: unknown, size: number) => boolean;

/**
 * Bounds a check in time. One that cannot cost much is called as it is, for watching costs more than most checks.
 * @throws RemitError `too-large` by the check, where it took too long
 */
export function boundedCheck(check: (value: unknown) => boolean, schema: JsonObject, now = () => performance.now()): BoundedCheck {
  const { quantifiers, unbounded } = costOf(schema);
  let rest = { until: -Infinity, from: Infinity };
  return (value, size) => {
    try {
      if (!unbounded && (quantifiers === 0 || size ** (quantifiers + 1) <= freely)) return check(value);
      if (now() < rest.until && size >= rest.from) throw tooLong();
      return watched(check, value);
    } catch (error) {
      // Out of time or of stack, or a pattern that turns out too large for the engine when it is first used.
      if (RemitError.is(error)) throw error;
      const from = now() < rest.until ? Math.min(rest.from, size / 2) : size / 2;
      rest = { until: now() + restMs, from };
      throw tooLong(error);
    }
  };
}

const stage = createContext({ check: null, value: null });
const script = new Script("check(value)");

/** The one way to end a regular expression, or anything else, that does not end by itself. */
function watched(check: (value: unknown) => boolean, value: unknown): boolean {
  Object.assign(stage, { check, value });
  try {
    for (let again = 3; ; again -= 1) {
      const before = process.cpuUsage();
      try {
        return script.runInContext(stage, { timeout: longestMs }) === true;
      } catch (error) {
        // The watch is by the wall; a machine that had other things to do has not shown what the check costs.
        const { user, system } = process.cpuUsage(before);
        if (again === 0 || !hasTimedOut(error) || (user + system) / 1_000 > longestMs / 2) throw error;
      }
    }
  } finally {
    Object.assign(stage, { check: null, value: null });
  }
}

function hasTimedOut(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
}

function tooLong(cause?: unknown): RemitError {
  return new RemitError("too-large", "the tool's schema takes too long to be held to this", { cause });
}

function costOf(schema: JsonObject): CheckCost {
  const cost: CheckCost = { quantifiers: 0, unbounded: false };
  let refers = false;
  let branches = false;
  const pending: Json[] = [schema];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (typeof node !== "object" || node === null) continue;
    if (Array.isArray(node)) {
      for (const each of node) pending.push(each);
      continue;
    }
    for (const [name, value] of Object.entries(node)) {
      // A property of such a name is taken for the keyword: that costs a watch, and nothing else.
      if (name === "pattern" && typeof value === "string") add(cost, value);
      if (name === "patternProperties" && typeof value === "object" && value !== null) for (const one of Object.keys(value)) add(cost, one);
      if (name === "uniqueItems" && value === true) cost.unbounded = true;
      refers ||= name === "$ref" || name === "$dynamicRef" || name === "$recursiveRef";
      branches ||= ["anyOf", "oneOf", "allOf", "not", "if", "dependentSchemas"].includes(name);
      pending.push(value);
    }
  }
  cost.unbounded ||= refers && branches;
  return cost;
}

/** Patterns that people write are shorter; to look at one takes time as well. */
const longestPattern = 1_000;

function add(cost: CheckCost, pattern: string): void {
  if (pattern.length > longestPattern) {
    cost.unbounded = true;
    return;
  }
  const bare = pattern.replace(/\\./gs, "x").replace(/\[[^\]]*\]/gs, "x");
  // `{8}` matches in one way only.
  const quantifiers = bare.match(/[*+]|\{\d*,\d*\}/g)?.length ?? 0;
  cost.quantifiers = Math.max(cost.quantifiers, quantifiers);
  cost.unbounded ||= /\)(?:[*+?]|\{)/.test(bare) || /\\[1-9k]/.test(pattern);
}
