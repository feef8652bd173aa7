import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { repository } from "./citations.ts";

const page = readFileSync(new URL("docs/security/threat-model.md", repository), "utf8");
const threats = [...page.matchAll(/^\| ([STRIDE]) +\| (.+?) +\| (.+?) +\| `(.+?)` +\|$/gm)].map(([, kind, threat = "", , title = ""]) => ({
  kind,
  threat,
  title,
}));
const titles = globSync("{packages,examples,conformance,test}/**/*.test.ts", {
  cwd: repository,
  exclude: (name) => name === "node_modules" || name === "dist",
})
  .map((file) => readFileSync(new URL(file, repository), "utf8"))
  .join("\n");

test("every boundary of the threat model names threats, and every threat a test that there is", () => {
  const boundaries = page.split(/^## \d+\. /m).slice(1);
  expect(boundaries.length).toBeGreaterThanOrEqual(7);
  for (const boundary of boundaries) expect(boundary.match(/^\| [STRIDE] +\|/gm)?.length ?? 0, boundary.split("\n")[0]).toBeGreaterThan(2);
  for (const kind of "STRIDE") expect(threats.filter((threat) => threat.kind === kind).length, kind).toBeGreaterThan(3);
  for (const { threat, title } of threats) expect(titles.includes(title), `${threat}: no test is called "${title}"`).toBe(true);
});
