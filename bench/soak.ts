import { load } from "./measure.ts";
import { machine, versions } from "./report.ts";
import { quantile } from "./statistics.ts";
import { tableOf } from "./table.ts";
import { startRemit } from "./targets/remit.ts";

type Sample = { calls: number; rssMb: number; heapMb: number; externalMb: number; postgresMb: number };

const samples = 20;

/** Caches fill and code is compiled during the first quarter; memory must be flat from then on. */
const settled = 0.25;

/** Growth of the heap that is left, over this many calls, below which memory counts as flat. Megabytes. */
const flat = { per: 100_000, mb: 5 };

/** Many calls in a row; after each part of them, what memory is left once garbage has been collected. Whether it is flat, and the calls succeeded. */
export async function soak(options: { calls: number; json: boolean; say: (text: string) => void }): Promise<boolean> {
  const [target] = await startRemit({ agents: [{ name: "governed", title: "Remit", cap: true }], nodeOptions: ["--expose-gc"] });
  if (target === undefined) throw new Error("no target was started");
  try {
    const taken: Sample[] = [];
    const begun = performance.now();
    let errors = 0;
    for (let part = 1; part <= samples; part += 1) {
      errors += await load(target, Math.ceil(options.calls / samples), 32);
      const { rss, heapUsed, external } = await target.memoryLeft();
      const { postgres } = target.memory();
      const mb = (bytes: number): number => Math.round(bytes / 1024 / 10.24) / 100;
      const sample = {
        calls: part * Math.ceil(options.calls / samples),
        rssMb: mb(rss),
        heapMb: mb(heapUsed),
        externalMb: mb(external),
        postgresMb: postgres,
      };
      taken.push(sample);
      options.say(`${sample.calls} calls: heap ${sample.heapMb} MB, RSS ${sample.rssMb} MB, PostgreSQL ${postgres} MB`);
    }
    const later = taken.slice(Math.floor(samples * settled));
    const slope = {
      heapMb: slopeOf(later, ({ heapMb }) => heapMb) * flat.per,
      rssMb: slopeOf(later, ({ rssMb }) => rssMb) * flat.per,
    };
    const isFlat = slope.heapMb < flat.mb;
    const report = {
      at: new Date().toISOString(),
      machine: machine(),
      versions: versions([]),
      calls: options.calls,
      seconds: Math.round((performance.now() - begun) / 1_000),
      errors,
      slopePer100kCalls: slope,
      isFlat,
      samples: taken,
    };
    const rows = taken.map((one) => [one.calls, one.heapMb, one.rssMb, one.externalMb, one.postgresMb].map(String));
    const verdict =
      `Over the last ${Math.round((1 - settled) * 100)} % of ${options.calls} calls (${report.seconds} s, ${errors} errors), each 100,000 calls left ` +
      `${slope.heapMb.toFixed(2)} MB more on the heap and ${slope.rssMb.toFixed(2)} MB in RSS: ${isFlat ? "flat" : "NOT FLAT"}.`;
    const text = `${tableOf(["calls", "heap MB", "RSS MB", "external MB", "PostgreSQL MB"], rows)}\n\n${verdict}`;
    process.stdout.write(`${options.json ? JSON.stringify(report, null, 2) : text}\n`);
    return isFlat && errors <= options.calls / 1_000;
  } finally {
    await target.stop();
  }
}

/** Of memory over calls. Theil and Sen: the median of the slopes between all pairs, which a single odd sample does not move. */
function slopeOf(taken: readonly Sample[], of: (sample: Sample) => number): number {
  const slopes = taken.flatMap((from, index) => taken.slice(index + 1).map((to) => (of(to) - of(from)) / (to.calls - from.calls)));
  return quantile(slopes, 0.5);
}
