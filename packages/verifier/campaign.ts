/**
 * npm run campaign:tamper: a superuser tampers with a ledger 500 times and more; who finds it, and how.
 * `-- --edits 1000 --seed 5`. Needs what the tests need: a PostgreSQL of its own is started where no REMIT_TEST_DATABASE_URL is given.
 */
import { parseArgs } from "node:util";
import { startTestCluster } from "@remit/server/testing";
import { runTamperCampaign, untouchedPasses } from "./src/tamper-campaign.testing.ts";
import type { TamperRow } from "./src/tamper-campaign.testing.ts";

const { values } = parseArgs({
  options: { edits: { type: "string", default: "555" }, seed: { type: "string", default: String(Date.now() % 1_000_000) } },
});
const [edits, seed] = [Number(values.edits), Number(values.seed)];
const stop = await startTestCluster();
try {
  console.log(`${edits} edits as a database superuser, seed ${seed}`);
  const passes = await untouchedPasses();
  const rows = await runTamperCampaign(edits, { seed, say: (text) => console.error(text) });
  console.log(tableOf(rows));
  const inside = rows.filter(({ needs }) => needs === "none");
  const outside = rows.filter(({ needs }) => needs === "kept");
  const sum = (all: readonly TamperRow[], column: "tries" | "either" | "kept") => all.reduce((total, row) => total + row[column], 0);
  const missed = rows.flatMap((row) => row.missed.map((own) => `${row.kind} (${own})`));
  const isAsSaid =
    passes &&
    missed.length === 0 &&
    sum(inside, "either") === sum(inside, "tries") &&
    sum(outside, "either") === 0 &&
    sum(outside, "kept") === sum(outside, "tries");
  console.log(`the untouched ledger ${passes ? "passes" : "DOES NOT PASS"}`);
  console.log(`found with nothing but the ledger and its key: ${sum(inside, "either")} of ${sum(inside, "tries")}`);
  console.log(
    `cannot be found without a checkpoint that somebody outside has kept: ${outside.map(({ kind }) => kind).join("; ")}: ${sum(outside, "either")} of ${sum(outside, "tries")} without it, ${sum(outside, "kept")} with it`,
  );
  for (const one of missed) console.log(`MISSED: ${one}`);
  console.log(isAsSaid ? "campaign:tamper: every edit was found as promised" : "campaign:tamper FAILED");
  process.exitCode = isAsSaid ? 0 : 1;
} finally {
  await stop();
}

function tableOf(rows: readonly TamperRow[]): string {
  const header = ["a superuser changes", "tries", "audit verify", "remit-verify", "either", "remit-verify, checkpoint kept"];
  const lines = rows.map((row) => [row.kind, row.tries, row.online, row.offline, row.either, row.kept].map(String));
  const widths = header.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)));
  return [header, ...lines]
    .map((line) =>
      line.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  "),
    )
    .join("\n");
}
