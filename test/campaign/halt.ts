import { parseArgs } from "node:util";
import { haltCampaign } from "../halt-campaign.testing.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "20" }, writers: { type: "string", default: "24" } } });
const [rounds, writers] = [Number(values.rounds), Number(values.writers)];
console.log(`${rounds} halts of an agent that works on three servers, ${writers} writers`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const found = await haltCampaign({ rounds, writers, log: (line) => console.error(line) });

const say = (name: string, values: number[]): void => {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number): string => String(Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0));
  console.log(`${name.padEnd(58)} ${at(0.5).padStart(8)} ${at(1).padStart(8)}`);
};
console.log(`${"milliseconds since the command".padEnd(58)} ${"median".padStart(8)} ${"most".padStart(8)}`);
say(
  "the last execution began, as the servers say",
  found.map(({ reach }) => reach.lastStartMs ?? Number.POSITIVE_INFINITY),
);
say(
  "the last effect, as the upstream saw it",
  found.map(({ lastEffectMs }) => lastEffectMs),
);
say(
  "all servers had confirmed",
  found.map(({ reach }) => reach.confirmedMs ?? Number.POSITIVE_INFINITY),
);
say(
  "the command was answered",
  found.map(({ answeredMs }) => answeredMs),
);
console.log(`calls that were cancelled: ${found.reduce((sum, { reach }) => sum + reach.cancelled, 0)}`);
console.log(`effects that were on their way when the last server confirmed: ${found.reduce((sum, { onTheirWay }) => sum + onTheirWay, 0)}`);
const last = Math.max(...found.map(({ reach }) => reach.lastStartMs ?? Number.POSITIVE_INFINITY));
console.log(last < 250 ? "nothing began 250 ms after the command or later" : `something began ${Math.round(last)} ms after the command`);
process.exit(last < 250 ? 0 : 1);
