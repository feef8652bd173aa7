import { parseArgs } from "node:util";
import { exchangesText, serverLine } from "./report.ts";
import type { Revision } from "./referee.ts";
import { refereeVersion, revisions } from "./referee.ts";
import { judgeServers } from "./server-leg.ts";
import { startRemit } from "./through/remit.ts";

const usage = `npm run conformance -- [options]
  --json                 print what was found as JSON
  --scenario <name>      only this one
  --revision <revision>  only this one: ${revisions.join(" or ")}
  --crossed              also with an upstream that speaks the other revision
  --exchanges            print every request that went through, and its answer
`;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    scenario: { type: "string" },
    revision: { type: "string" },
    crossed: { type: "boolean", default: false },
    exchanges: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const chosen = values.revision === undefined ? revisions : revisions.filter((revision) => revision === values.revision);
if (chosen.length === 0) throw new Error(`--revision is one of ${revisions.join(", ")}`);

await using remit = await startRemit();
const other = (revision: Revision): Revision => (revision === "2025-11-25" ? "2026-07-28" : "2025-11-25");
const pairs = chosen.flatMap((revision) => [
  { revision, upstream: revision },
  ...(values.crossed ? [{ revision, upstream: other(revision) }] : []),
]);
const results = await judgeServers(remit, pairs, values.scenario ?? null);
if (values.json) {
  const report = { referee: await refereeVersion(), node: process.version, results };
  process.stdout.write(
    `${JSON.stringify(report, (key, value: unknown) => (key === "exchanges" && !values.exchanges ? undefined : value), 2)}\n`,
  );
} else {
  for (const result of results) process.stdout.write(serverLine(result) + (values.exchanges ? exchangesText(result) : ""));
}
process.exitCode = results.some(({ lost }) => lost.length > 0) ? 1 : 0;
