import { resolve } from "node:path";
import { readFile } from "node:fs/promises";
import { appliedSchema, ledgerVerdictSchema, queueViewSchema } from "@remit/contract";
import type { ActionView, Applied, ApprovalView, LedgerVerdict } from "@remit/contract";
import { collectFiles, createHttpClient, drainQueue, pageSchema, path } from "@remit/cli";
import type { FinishedRun, HttpClient, RunEvents, Surroundings } from "@remit/cli";
import type { SupportItem, SupportWorld } from "@remit/example-support";
import { z } from "zod";
import { logInPeople, makeLink, readWaiting } from "./people.ts";
import type { Report } from "./report.ts";

/** What has to run before. */
export type Running = { url: string; machineKeyFile: string; registryDir: string; world: SupportWorld };

/** What came of showing the example: what the last screen tells. */
export type Outcome = {
  url: string;
  mailUrl: string;
  loginLink: string;
  finished: FinishedRun[];
  failedRuns: number;
  /** Everything that waits, also from a start before this one. */
  waiting: ApprovalView[];
  verdict: LedgerVerdict;
  /** Tickets that are left for whoever wants to run the agent by hand. */
  ready: number;
};

const queue = "billing-tier1";
/** Tickets that come in after the triage, so that there is something left to run an agent on by hand. */
const lateTickets = 3;

/** Applies the example, puts its tickets in their queues and triages them. Null: interrupted. */
export async function showExample(
  around: Surroundings,
  running: Running,
  { report, interrupted, insisted }: { report: Report; interrupted: AbortSignal; insisted: AbortSignal },
): Promise<Outcome | null> {
  const key = (await readFile(running.machineKeyFile, "utf8")).trim();
  const machine = createHttpClient(running.url, { type: "machine", key });
  await report.step("the registry in examples/support", () => applyExample(machine, running.registryDir));
  const { sam } = await report.step("Sam, Leila and Ada logged in", () => logInPeople(around, machine));
  const billing = running.world.items.filter((item) => item.queue === queue);
  const late = new Set(billing.slice(-lateTickets));
  await report.step(`${running.world.items.length - late.size} tickets in their queues`, () =>
    enqueue(
      sam,
      running.world.items.filter((item) => !late.has(item)),
    ),
  );
  const finished = await triage(around, running.registryDir, { client: sam, report, interrupted, insisted });
  if (interrupted.aborted) return null;
  await enqueue(sam, [...late]);
  const waiting = await readWaiting(sam);
  const verdict = await sam.send({ path: "/v1/audit/verify", response: ledgerVerdictSchema, timeoutMs: 120_000 });
  const queues = await sam.send({ path: "/v1/queues", response: pageSchema(queueViewSchema) });
  const ready = queues.items.find((one) => one.name === queue)?.ready ?? 0;
  const failedRuns = finished.filter(({ run }) => run.state === "failed" || run.state === "lost").length;
  return {
    url: running.url,
    mailUrl: running.world.mailUrl,
    loginLink: await makeLink(machine, "sam"),
    finished,
    failedRuns,
    waiting,
    verdict,
    ready,
  };
}

async function applyExample(machine: HttpClient, registryDir: string): Promise<Applied> {
  const files = await collectFiles(registryDir);
  return machine.send({ method: "POST", path: "/v1/registry/apply", body: { files }, response: appliedSchema, timeoutMs: 120_000 });
}

/** The key of each is its ticket: a second start adds nothing. */
async function enqueue(client: HttpClient, items: readonly SupportItem[]): Promise<void> {
  for (const { queue, subject, payload, key } of items) {
    await client.send({ method: "POST", path: path`/v1/queues/${queue}/items`, body: { subject, payload, key }, response: z.unknown() });
  }
}

async function triage(
  around: Surroundings,
  registryDir: string,
  { client, report, interrupted, insisted }: { client: HttpClient; report: Report; interrupted: AbortSignal; insisted: AbortSignal },
): Promise<FinishedRun[]> {
  let told = Promise.resolve();
  const events: RunEvents = {
    started: (run) => report.runStarted(run),
    action: (run, action: ActionView) => {
      report.action(run, action);
      const { approvalId } = action;
      if (action.state !== "waiting" || approvalId === null) return;
      told = told.then(() => report.waits(client, approvalId));
    },
    output: () => undefined,
    note: (_run, message) => report.note(message),
    contained: () => undefined,
    finished: (finished) => report.runEnded(finished),
  };
  report.triageStarts(queue);
  const { finished, problem } = await drainQueue(
    {
      client,
      start: { workflow: "triage", environment: "staging", queue, requireApproval: [], serviceName: "support-agent" },
      env: around.env,
      command: null,
      registryDir,
      cwd: around.cwd,
      passEnv: [],
      contained: true,
      allowHosts: [],
      dataDir: resolve(around.cwd, around.env["REMIT_DATA_DIR"] ?? ".remit"),
      logLevel: "info",
      graceMs: 5_000,
      interrupted,
      insisted,
      events,
    },
    2,
  );
  await told;
  if (problem !== null) report.note(`ended before the queue was empty: ${problem.message}`);
  return finished;
}
