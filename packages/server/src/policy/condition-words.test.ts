import { expect, test } from "vitest";
import { loadCedar } from "./cedar-module.ts";
import { conditionsOf } from "./cedar-expression.ts";
import { conditionWords, negated } from "./condition-words.ts";

const cedar = loadCedar();
const table: [string, string, string][] = [
  ["context.input.amountCents > 10000", "amountCents is more than 10000", "amountCents is at most 10000"],
  ['context.facts.weekday == "fri"', 'the weekday is "fri"', 'the weekday is not "fri"'],
  ["context.input has discount.code", "discount.code is given", "discount.code is not given"],
  ['context.input["weird-key!"] like "a*"', 'weird-key! looks like "a*"', 'weird-key! does not look like "a*"'],
  [
    'context.input.to like "*@a" || context.input.to like "*@b" || context.input.to like "*@c"',
    'to looks like one of "*@a", "*@b", "*@c"',
    'to looks like none of "*@a", "*@b", "*@c"',
  ],
  [
    "context.facts.hour < 8 || context.facts.hour > 17",
    "the hour is less than 8 or the hour is more than 17",
    "the hour is at least 8 and the hour is at most 17",
  ],
  ["!(context.facts.hour < 8)", "the hour is at least 8", "the hour is less than 8"],
  [
    'principal in Remit::Role::"x" && context.facts.hour > 1',
    "the agent is in role x and the hour is more than 1",
    "not (the agent is in role x and the hour is more than 1)",
  ],
];
test.each(table)("[CTL-16] %s, in words and turned round", (text, words, opposite) => {
  const answer = cedar.policyToJson(`permit (principal, action, resource) when { ${text} };`);
  if (answer.type === "failure") throw new Error(answer.errors[0]?.message);
  const [condition] = conditionsOf(answer.json);
  expect(condition && [conditionWords(condition.body), negated(condition.body)]).toEqual([words, opposite]);
});
