import { parseArgs } from "node:util";
import { clientLine, exchangesText, serverLine } from "./report.ts";
import type { Leg, Revision } from "./referee.ts";
import { refereeVersion, requiredScenarios, revisions } from "./referee.ts";
import { judgeClient } from "./client-leg.ts";
import type { ClientResult } from "./client-leg.ts";
import { judgeServers } from "./server-leg.ts";
import type { ServerResult } from "./server-leg.ts";
import { startRemit } from "./through/remit.ts";

const usage = `npm run conformance -- [options]
  --json                 print what was found as JSON
  --scenario <name>      only this one
  --revision <revision>  only this one: ${revisions.join(" or ")}
  --leg <leg>            only this one: server or client
  --crossed              also with an upstream that speaks the other revision
  --exchanges            print every request that went through, and its answer
`;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    scenario: { type: "string" },
    revision: { type: "string" },
    leg: { type: "string" },
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
const scenario = values.scenario ?? null;
const results: (ServerResult | ClientResult)[] = [];
if (values.leg !== "client" && (await hasScenario("server"))) results.push(...(await judgeServers(remit, pairs, scenario)));
if (values.leg !== "server" && (await hasScenario("client"))) {
  for (const revision of chosen) results.push(await judgeClient(remit, revision, scenario));
}
if (values.json) {
  const report = { referee: await refereeVersion(), node: process.version, results };
  const shown = (key: string, value: unknown) => (key === "exchanges" && !values.exchanges ? undefined : value);
  process.stdout.write(`${JSON.stringify(report, shown, 2)}\n`);
} else {
  for (const result of results) {
    if (result.leg === "client") process.stdout.write(clientLine(result));
    else process.stdout.write(serverLine(result) + (values.exchanges ? exchangesText(result) : ""));
  }
}
process.exitCode = results.some((result) => (result.leg === "client" ? result.failed : result.lost).length > 0) ? 1 : 0;

async function hasScenario(leg: Leg): Promise<boolean> {
  if (scenario === null) return true;
  const required = await Promise.all(chosen.map((revision) => requiredScenarios(revision, leg)));
  return required.flat().includes(scenario);
}
