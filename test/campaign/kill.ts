import { parseArgs } from "node:util";
import { invariants, killCampaign } from "../kill-campaign.testing.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    writers: { type: "string", default: "12" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const [kills, writers, seed] = [Number(values.kills), Number(values.writers), Number(values.seed)];
console.log(`${kills} kills, ${writers} writers, seed ${seed}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const began = performance.now();
const report = await killCampaign({ kills, writers, seed, log: (line) => console.error(line) });

const rows: [string, number | string][] = [
  ["kills of servers", report.kills.server],
  ["kills of the server that gives the order", report.kills.sequencer],
  ["kills of PostgreSQL", report.kills.postgres],
  ["takeovers of the order", report.takeovers],
  ["calls made", report.calls.made],
  ["calls acknowledged", report.calls.acknowledged],
  ["calls that nobody answered in the end", report.calls.unanswered],
  ["effects at the upstream", report.effects],
  ["entries in the ledger", report.entries],
  ["actions whose outcome is unknown, and somebody was told", report.unknown],
  ["checkpoints that were seen", report.checkpointsSeen],
  ["minutes", ((performance.now() - began) / 60_000).toFixed(1)],
  ["", ""],
  ...invariants.map((invariant): [string, number] => [invariant, report.broken.filter((each) => each.invariant === invariant).length]),
];
for (const [name, value] of rows) console.log(name === "" ? "" : `${name.padEnd(58)} ${String(value).padStart(8)}`);
for (const [why, times] of [...report.refusals].sort(([, left], [, right]) => right - left).slice(0, 8)) {
  console.error(`not answered, or asked for again: ${why} (${times})`);
}
for (const { invariant, what } of report.broken.slice(0, 40)) console.log(`✗ ${invariant}: ${what}`);
console.log(report.broken.length === 0 ? "every promise held" : `${report.broken.length} promises were broken`);
process.exit(report.broken.length === 0 ? 0 : 1);
