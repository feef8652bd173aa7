import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { capabilitiesPage, renderCapabilities } from "./capabilities-page.ts";
import { allCitations, citationsOf } from "./citations.ts";
import { requirements } from "./requirements.ts";

const citations = allCitations();
const cited = new Set(citations.map(({ id }) => id));

test("every promise is proved by a test that cites it", () => {
  const promised = requirements.filter(({ notYet }) => notYet === undefined);
  expect(promised.filter(({ id }) => !cited.has(id)).map(({ id, promise }) => `${id} ${promise}`)).toEqual([]);
});

test("what is not yet promised says why, and no test claims it", () => {
  const waiting = requirements.filter(({ notYet }) => notYet !== undefined);
  for (const { id, notYet } of waiting) console.log(`not yet: ${id}: ${notYet}`);
  expect(waiting.filter(({ id }) => cited.has(id))).toEqual([]);
  expect(waiting.filter(({ notYet }) => notYet?.trim() === "")).toEqual([]);
});

test("every test cites a promise that was made", () => {
  const known = new Set(requirements.map(({ id }) => id));
  expect(citations.filter(({ id }) => !known.has(id))).toEqual([]);
});

test("every promise is made once", () => {
  expect(requirements.map(({ id }) => id).filter((id, index, all) => all.indexOf(id) !== index)).toEqual([]);
});

test("docs/capabilities.md says the same; if not: npm run docs:capabilities", () => {
  const page = existsSync(capabilitiesPage) ? readFileSync(capabilitiesPage, "utf8") : "";
  expect(page).toBe(renderCapabilities(requirements, citations));
});

test.each<[string, string[]]>([
  ['test("[CTL-01][AUD-01] one", () => {', ["CTL-01 one", "AUD-01 one"]],
  ["test.each(cases)(`[CTL-01] %s`, () => {", ["CTL-01 %s"]],
  ['  { name: "[CTL-01] a row" },', ["CTL-01 a row"]],
  ['test("says \\"no\\" [CTL-01]", () => {', ['CTL-01 says \\"no\\"']],
  ['test.skip("[CTL-01] one", () => {', []],
  ['test.todo("[CTL-01] one");', []],
  ["// [CTL-01] a remark", []],
  ["  * as in [CTL-01]", []],
  ['test("CTL-01 without brackets", () => {', []],
  ["const row = table[CTL-01];", []],
])("in %s are cited %j", (line, found) => {
  expect(citationsOf("a.test.ts", line).map(({ id, title }) => `${id} ${title}`)).toEqual(found);
});
