import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HouseCopy } from "./walls.testing.ts";
import { copyHouse } from "./walls.testing.ts";

let house: HouseCopy;
beforeAll(async () => {
  house = await copyHouse();
});
afterAll(() => house[Symbol.asyncDispose]());

describe("the compiler", { timeout: 300_000 }, () => {
  const attempts: { name: string; file: string; text: string; says: RegExp | null }[] = [
    { name: "core may use the contract", file: "core/src/fine.ts", text: 'export type { Decision } from "@remit/contract";', says: null },
    {
      name: "core has no files",
      file: "core/src/reads-files.ts",
      text: 'import { readFileSync } from "node:fs";\nexport const read: unknown = readFileSync;',
      says: /TS2591|TS2307/,
    },
    {
      name: "core has no environment",
      file: "core/src/reads-environment.ts",
      text: "export const all: unknown = process.env;",
      says: /TS2591/,
    },
    { name: "core has no network", file: "core/src/fetches.ts", text: "export const call: unknown = fetch;", says: /TS2304/ },
    { name: "core has no timers", file: "core/src/waits.ts", text: "export const timer: unknown = setTimeout;", says: /TS2304/ },
    {
      name: "the contract has no environment",
      file: "contract/src/reads.ts",
      text: "export const all: unknown = process.env;",
      says: /TS2591/,
    },
    {
      name: "nobody reaches behind a package's door",
      file: "core/src/reaches-behind.ts",
      text: 'export { idPrefixes } from "@remit/contract/src/id/id.ts";',
      says: /TS2307/,
    },
    {
      name: "no path leads round the door",
      file: "core/src/goes-round.ts",
      text: 'export { idPrefixes } from "../../contract/src/id/id.ts";',
      says: /TS2878|TS6307|TS6059/,
    },
  ];

  test("has nothing to say against the house as it is", async () => {
    expect(await house.run("tsc", "-b", "packages/core")).toEqual({ code: 0, output: "" });
  });

  test("refuses each of these, and nothing else", async () => {
    for (const { file, text } of attempts) await house.write(`packages/${file}`, `${text}\n`);
    const output = await Promise.all(
      ["packages/contract", "packages/core"].map((project) => house.run("tsc", "-p", project, "--noEmit", "--pretty", "false")),
    );
    const lines = output.flatMap((said) => said.output.split("\n")).filter((line) => line.includes("error"));
    const said = attempts.map(({ name, file }) => ({ name, said: lines.filter((line) => line.includes(file)).join("\n") }));
    expect(said).toEqual(attempts.map(({ name, says }) => ({ name, said: says === null ? "" : (expect.stringMatching(says) as string) })));
    expect(lines.filter((line) => !attempts.some(({ file }) => line.includes(file)))).toEqual([]);
  });
});

describe("the linter", () => {
  const store = 'export { createRunStore } from "./run.postgres.ts";\n';
  test.each<[string, string, string, string | null]>([
    ["core may use the contract", "core/src/fine.ts", 'export type { Decision } from "@remit/contract";\n', null],
    // The compiler alone would let these two pass: a link to a workspace resolves for everybody.
    ["core knows no server", "core/src/asks.ts", 'export { startServer } from "@remit/server";\n', "Core is pure"],
    ["the contract knows no core", "contract/src/asks.ts", 'export { canonicalJson } from "@remit/core";\n', "depends on zod alone"],
    ["core has no files", "core/src/reads.ts", 'export { readFileSync } from "node:fs";\n', "Core is pure"],
    ["core's tests may use a test's tools", "core/src/fine.test.ts", 'export { test } from "vitest";\n', null],
    [
      "the sandbox knows no server",
      "sandbox/src/asks.ts",
      'export { startServer } from "@remit/server";\n',
      "depends on the contract alone",
    ],
    ["nobody but the composition root chooses a store", "server/src/run/run.service.ts", store, "Only the composition root"],
    ["main.ts does", "server/src/main.ts", 'export { createRunStore } from "./run/run.postgres.ts";\n', null],
    ["so does a test", "server/src/run/run.service.test.ts", store, null],
    ["the server knows no faces", "server/src/run/run.routes.ts", 'export { main } from "@remit/cli";\n', "knows nothing of its faces"],
    [
      "the ledger is made from no trace",
      "server/src/ledger/looks.ts",
      'export { createTracing } from "../telemetry/otlp-tracing.ts";\n',
      "they may be lost",
    ],
    [
      "an audit counts no metric",
      "server/src/audit/counts.ts",
      'export { createMetrics } from "../telemetry/metrics.ts";\n',
      "they may be lost",
    ],
    [
      "a budget is kept from no trace",
      "core/src/budget/looks.ts",
      'export { reconcile } from "../telemetry/reconcile.ts";\n',
      "they may be lost",
    ],
    ["nothing is exported without a name", "server/src/run/run.ts", "export default 1;\n", "import(no-default-export)"],
    ["nothing is of any type", "server/src/run/any.ts", "export const f = (value: any): unknown => value;\n", "no-explicit-any"],
  ])("%s", async (_name, file, text, expected) => {
    await house.write(`packages/${file}`, text);
    const said = await house.run("oxlint", "--deny-warnings", `packages/${file}`);
    if (expected === null) expect(said.code, said.output).toBe(0);
    else expect(said).toMatchObject({ code: 1, output: expect.stringContaining(expected) as string });
  });
});

test.each(["@remit/core/src/index.ts", "@remit/contract/src/id/id.ts", "@remit/server/src/main.ts"])(
  "Node itself refuses to load %s",
  async (specifier) => {
    const { code, output } = await house.run("node", "--input-type=module", "-e", `await import(${JSON.stringify(specifier)})`);
    expect(code).toBe(1);
    expect(output).toContain("ERR_PACKAGE_PATH_NOT_EXPORTED");
  },
);
