import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { openTestLedger, startAudit, startTestCluster, testEntry, testId } from "@remit/server/testing";
import { writeLedgerBundle } from "./ledger-bundle.ts";
import { quantile } from "./statistics.ts";
import { tableOf } from "./table.ts";

const root = resolve(import.meta.dirname, "..");

export type LedgerRow = { what: string; measured: number; unit: string; target: string };

type Settings = { writers: number; seconds: number; proofs: number; bundle: number };

/** What the ledger does under load, and how long a stranger takes to check it. Writers, verifier and PostgreSQL share the machine. */
export async function benchLedger(quick: boolean, say: (text: string) => void): Promise<LedgerRow[]> {
  const settings: Settings = quick
    ? { writers: 64, seconds: 3, proofs: 100, bundle: 100_000 }
    : { writers: 64, seconds: 20, proofs: 500, bundle: 1_000_000 };
  const stop = await startTestCluster();
  try {
    return [...(await underLoad(settings, say)), ...(await offline(settings, say))];
  } finally {
    await stop();
  }
}

async function underLoad({ writers, seconds, proofs }: Settings, say: (text: string) => void): Promise<LedgerRow[]> {
  await using test = await openTestLedger({ leaseMs: 5_000 });
  const audit = startAudit(test);
  say(`${writers} writers for ${seconds} s, while somebody verifies`);
  const latencies: number[] = [];
  const committed = new Map<string, number>();
  const began = performance.now();
  const over = new AbortController();
  const entry = () =>
    testEntry("action-succeeded", {
      actionId: testId("action"),
      runId: testId("run"),
      data: { tool: "helpdesk__search_articles", effect: "read", environment: "production", durationMs: 12.5, policy: "support" },
    });
  const write = async () => {
    while (!over.signal.aborted) {
      const next = entry();
      const at = performance.now();
      await test.ledger.record(next);
      latencies.push(performance.now() - at);
      if (latencies.length % 20 === 0) committed.set(next.id, Date.now());
    }
  };
  let verified = 0;
  const verify = async () => {
    while (!over.signal.aborted) {
      const { ok, firstWrong } = await audit.verify();
      if (!ok) throw new Error(`the ledger does not verify under load: ${firstWrong?.what ?? ""}`);
      verified += 1;
    }
  };
  const working = [...Array.from({ length: writers }, write), verify()];
  await new Promise((done) => void setTimeout(done, seconds * 1000));
  const took = (performance.now() - began) / 1000;
  const written = latencies.length;
  over.abort();
  await Promise.all(working);
  await test.sequencer.flushed();
  const rows = await test.superuser.query<{ id: string; at: Date }>(
    `SELECT l.entry_id AS id, (SELECT c.at FROM ledger_checkpoint c WHERE c.size > l.seq ORDER BY c.size LIMIT 1) AS at
     FROM ledger_leaf l WHERE l.entry_id = ANY ($1)`,
    [[...committed.keys()]],
  );
  const delays = rows.map(({ id, at }) => Math.max(0, at.getTime() - (committed.get(id) ?? 0)));
  say(`${proofs} proofs`);
  const proofTimes: number[] = [];
  for (const { id } of rows.slice(0, proofs)) {
    const at = performance.now();
    await audit.receipt(id as Parameters<typeof audit.receipt>[0]);
    proofTimes.push(performance.now() - at);
  }
  const round = (value: number) => Math.round(value * 10) / 10;
  return [
    {
      what: `entries committed by ${writers} writers while ${verified} verifications ran`,
      measured: Math.round(written / took),
      unit: "entries/s",
      target: "5,000",
    },
    { what: "an entry's commit, p50", measured: round(quantile(latencies, 0.5)), unit: "ms", target: "" },
    { what: "an entry's commit, p99", measured: round(quantile(latencies, 0.99)), unit: "ms", target: "under 50" },
    { what: "from commit to signed checkpoint, p99", measured: round(quantile(delays, 0.99)), unit: "ms", target: "under 250" },
    { what: "a proof, made and checked, p50", measured: round(quantile(proofTimes, 0.5)), unit: "ms", target: "under 5" },
    { what: "a proof, made and checked, p99", measured: round(quantile(proofTimes, 0.99)), unit: "ms", target: "" },
  ];
}

async function offline({ bundle: count }: Settings, say: (text: string) => void): Promise<LedgerRow[]> {
  const folder = await mkdtemp(join(tmpdir(), "remit-bench-ledger-"));
  try {
    say(`a bundle of ${count} entries`);
    const path = join(folder, "bundle.tar");
    const key = await writeLedgerBundle(count, path);
    const verifier = join(folder, "remit-verify.mjs");
    await finished([resolve(root, "packages/verifier/build.ts"), "--out", verifier]);
    say("remit-verify");
    const { seconds, megabytes } = await finished([verifier, path, "--key", key, "--allow-unanchored"]);
    const words = count.toLocaleString("en-GB");
    return [
      { what: `remit-verify, ${words} entries`, measured: Math.round(seconds * 10) / 10, unit: "s", target: "under 30" },
      { what: `remit-verify, ${words} entries, peak memory`, measured: megabytes, unit: "MB", target: "under 300" },
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A process to its end, with the most memory that it ever held. @throws where it fails */
async function finished(args: readonly string[]): Promise<{ seconds: number; megabytes: number }> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  let kilobytes = 0;
  const look = setInterval(() => {
    try {
      kilobytes = Math.max(kilobytes, Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${child.pid ?? 0}/status`, "utf8"))?.[1] ?? 0));
    } catch {
      // It has just ended.
    }
  }, 20);
  const code = await new Promise<number | null>((done) => void child.once("close", done));
  clearInterval(look);
  if (code !== 0) throw new Error(`${args[0] ?? ""} ended with ${code ?? "a signal"}`);
  return { seconds: (performance.now() - began) / 1000, megabytes: Math.round(kilobytes / 1024) };
}

export function ledgerTable(rows: readonly LedgerRow[]): string {
  return tableOf(
    ["ledger", "measured", "unit", "to reach"],
    rows.map(({ what, measured, unit, target }) => [what, String(measured), unit, target]),
  );
}
