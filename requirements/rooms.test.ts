import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { repository } from "./citations.ts";

const rooms = "packages/server/src";

/** The rooms that a file runs code of. What it knows of others as types alone are their ports. */
function roomsUsed(text: string): string[] {
  return [...text.matchAll(/^import (?!type )([^;]*?) from "\.\.\/([\w-]+)\//gm)].flatMap(([, names = "", room = ""]) =>
    /^\{(\s*type \w+( as \w+)?,?)+\s*\}$/.test(names) ? [] : [room],
  );
}

/** Which rooms can be reached from each, itself only where a way leads back. */
function reach(uses: ReadonlyMap<string, ReadonlySet<string>>): Map<string, Set<string>> {
  return new Map(
    [...uses.keys()].map((room) => {
      const seen = new Set<string>();
      const walk = (at: string): void => {
        for (const next of uses.get(at) ?? [])
          if (!seen.has(next)) {
            seen.add(next);
            walk(next);
          }
      };
      walk(room);
      return [room, seen];
    }),
  );
}

test("no room of the server needs another that needs it, but for APIs, which are upstreams", () => {
  const uses = new Map<string, Set<string>>();
  const files = globSync(`${rooms}/*/*.ts`, { cwd: repository }).filter((file) => !/\.(test|testing|fixture|suite)\.ts$/.test(file));
  expect(files.length).toBeGreaterThan(300);
  for (const file of files.map((path) => path.replaceAll("\\", "/"))) {
    const room = file.split("/").at(-2) ?? "";
    const known = uses.get(room) ?? new Set<string>();
    for (const used of roomsUsed(readFileSync(new URL(file, repository), "utf8"))) if (used !== room) known.add(used);
    uses.set(room, known);
  }
  const reached = reach(uses);
  const circular = [...reached].filter(([room, seen]) => seen.has(room)).map(([room]) => room);
  expect(circular.sort()).toEqual(["openapi", "upstream"]);
});

test.each<[string, string[]]>([
  ['import { a } from "../ledger/a.ts";', ["ledger"]],
  ['import type { A } from "../ledger/a.ts";', []],
  ['import { type A, type B } from "../ledger/a.ts";', []],
  ['import { type A, b } from "../ledger/a.ts";', ["ledger"]],
  ['import {\n  a,\n  b,\n} from "../ledger/a.ts";', ["ledger"]],
  ['import { a } from "./a.ts";', []],
])("%j runs code of %j", (text, used) => {
  expect(roomsUsed(text)).toEqual(used);
});
