import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { repository } from "./citations.ts";

/** Exports of a text that nothing is said about. A type that is taken from the export before it is said there. */
function undocumented(text: string): string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const [, kind = "", name = ""] = /^export (?:async )?(const|function|type|class|interface) (\w+)/.exec(line) ?? [];
    if (name === "" || (kind === "type" && /= (z\.(infer|input)<|\(typeof |keyof typeof |\w+\["kind"\];)/.test(line))) return [];
    return lines[index - 1]?.trim().endsWith("*/") === true ? [] : [name];
  });
}

test("every word of the contract says what it means", () => {
  const files = globSync("packages/contract/src/**/*.ts", { cwd: repository }).filter((file) => !file.endsWith("index.ts"));
  expect(files.length).toBeGreaterThan(30);
  expect(files.flatMap((file) => undocumented(readFileSync(new URL(file, repository), "utf8")).map((name) => `${file} ${name}`))).toEqual(
    [],
  );
});

test.each<[string, string[]]>([
  ["/** What it is. */\nexport const a = 1;", []],
  ["export const a = 1;", ["a"]],
  ["const b = 1;\nexport function a(): void {}", ["a"]],
  ["/** What it is. */\nexport const aSchema = z.string();\nexport type A = z.infer<typeof aSchema>;", []],
  ["export type A = { b: string };", ["A"]],
])("in %j nothing is said of %j", (text, names) => {
  expect(undocumented(text)).toEqual(names);
});
