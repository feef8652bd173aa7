import type { Json, JsonObject } from "@remit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson } from "../canonical/canonical-json.ts";
import { type ActionIdentity, actionDigestText } from "./action-digest.ts";

const identity: ActionIdentity = {
  agent: "triage",
  environment: "staging",
  runId: null,
  tool: "helpdesk__send_email",
  pin: "b".repeat(64),
  arguments: { to: "ada@example.com" },
  idempotencyKey: null,
};

test("[CTL-26] any member that differs makes another action", () => {
  const others: Partial<ActionIdentity>[] = [
    { agent: "other" },
    { environment: "production" },
    { runId: "run_1" },
    { tool: "helpdesk__refund.create" },
    { pin: "d".repeat(64) },
    { arguments: { to: "eve@example.com" } },
    { idempotencyKey: "1" },
    { continuation: { requestState: "1" } },
  ];
  for (const other of others) {
    const whole = { ...identity, ...other };
    expect(actionDigestText(whole)).toBe(canonicalJson({ "remit/action": 1, ...whole }));
  }
  const texts = others.map((other) => actionDigestText({ ...identity, ...other }));
  expect(new Set([actionDigestText(identity), ...texts]).size).toBe(others.length + 1);
});

test("[CTL-26] two arguments have one text exactly when they are the same JSON value", () => {
  const value = fc
    .dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ noUnicodeString: false }))
    .map((object) => JSON.parse(JSON.stringify(object)) as JsonObject);
  fc.assert(
    fc.property(value, value, (left, right) => {
      const text = (args: JsonObject): string | null => {
        try {
          return actionDigestText({ ...identity, arguments: args });
        } catch {
          return null;
        }
      };
      const [leftText, rightText] = [text(left), text(right)];
      fc.pre(leftText !== null && rightText !== null);
      expect(leftText === rightText).toBe(same(left, right));
    }),
  );
});

function same(left: Json, right: Json): boolean {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return left === right;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && same((left as JsonObject)[key] ?? null, (right as JsonObject)[key] ?? null))
  );
}

test.each<[string, unknown, string]>([
  ["a date", { d: new Date(0) }, "/d"],
  ["a map", { d: new Map() }, "/d"],
  ["a function", { d: () => 1 }, "/d"],
  ["undefined", { d: undefined }, "/d"],
  ["a hole", { d: Object.assign([], { length: 1 }) }, "/d/0"],
  ["not a number", { d: Number.NaN }, "/d"],
  ["negative zero", { d: -0 }, "/d"],
  ["an integer that doubles cannot hold", { d: 2 ** 53 }, "/d"],
  ["a lone surrogate", { d: "\ud800" }, "/d"],
  ["a lone surrogate in a name", { "\ud800": 1 }, ""],
])("[CTL-19] %s has no canonical form", (_, value, pointer) => {
  expect(() => canonicalJson(value as Json)).toThrowError(
    expect.objectContaining({ code: "invalid-arguments", issues: [expect.objectContaining({ pointer })] }),
  );
});

test("[CTL-19] nesting beyond the cap is refused, not overflowed", () => {
  let deep: Json = 1;
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
  expect(() => canonicalJson(deep)).toThrowError(expect.objectContaining({ code: "invalid-arguments" }));
});
