import type { ActionState, Id, StartRun, StartedRun } from "@remit/contract";
import { startRunSchema } from "@remit/contract";
import type { Registry } from "@remit/core";
import { buildRegistry } from "@remit/core/testing";
import { pino } from "pino";
import { createInFlight } from "../action/in-flight.ts";
import type { InFlight } from "../action/in-flight.ts";
import { createRunActions } from "../action/run-actions.postgres.ts";
import { createWaitingActions } from "../action/waiting-actions.postgres.ts";
import { approvalStore } from "../approval/approval.postgres.ts";
import { createApprovals } from "../approval/approval.service.ts";
import type { ApprovalService } from "../approval/approval.service.ts";
import { newId } from "../id/new-id.ts";
import { openTestIdentity, testPublicUrl } from "../identity/identity.testing.ts";
import type { TestIdentity } from "../identity/identity.testing.ts";
import { createRefusalRecorder } from "../identity/refusal-recorder.ts";
import { createLedger } from "../ledger/ledger.postgres.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { testMasterKey } from "../ledger/ledger.testing.ts";
import { createPayloadKeys } from "../ledger/payload-keys.postgres.ts";
import { leaseStore } from "../secret/lease.postgres.ts";
import { createLeases } from "../secret/lease.service.ts";
import { queueStore } from "./queue.postgres.ts";
import { registerQueueRoutes } from "./queue.routes.ts";
import { createQueues } from "./queue.service.ts";
import type { Queues } from "./queue.service.ts";
import { runStore } from "./run.postgres.ts";
import { registerRunRoutes } from "./run.routes.ts";
import { createRuns } from "./run.service.ts";
import type { RunActions } from "./run.store.ts";
import type { Runs } from "./runs.ts";
import { createUntraced } from "../telemetry/untraced.ts";

export type Started = Extract<StartedRun, { token: string }>;

export type TestRuns = TestIdentity & {
  runs: Runs;
  /** Another server on the same database. */
  there: Runs;
  queues: Queues;
  approvals: ApprovalService;
  actions: RunActions;
  ledger: Ledger;
  /** What is executing: on this server, and on the other. */
  inFlight: InFlight;
  inFlightThere: InFlight;
  halts: { current: ReturnType<Parameters<typeof createRuns>[0]["halts"]["current"]> };
  /** Starts a run as ben, of the workflow triage in staging. Fails where there is nothing to do. */
  start(more?: Partial<StartRun>): Promise<Started>;
  enqueue(subject: string, key?: string): Promise<string>;
  /** An action of the run, as the action path leaves it; one that waits has its request. */
  act(run: string, state: ActionState, more?: { code?: string; reason?: string }): Promise<Id<"action">>;
  item(id: string): Promise<{ state: string; attempts: number; runId: string | null }>;
  runState(id: string): Promise<string>;
};

export const operator = "party:ben";

export const startOf = (more: Partial<StartRun> = {}): StartRun =>
  startRunSchema.parse({ workflow: "triage", environment: "staging", ...more });

/** Runs as a server has them: real database, ledger, identity and approvals. */
export async function openTestRuns(registry: Registry = buildRegistry()): Promise<TestRuns> {
  const test = await openTestIdentity(registry);
  const { database } = test;
  const now = (): Date => test.now();
  const ledger = createLedger({ database, payloadKeys: createPayloadKeys({ database, masterKey: testMasterKey }) });
  const source = test.identity.registry;
  const waiting = createWaitingActions({ database, ledger, tracing: createUntraced(), registry: source, newId });
  const approvals = createApprovals({
    database,
    store: approvalStore,
    ledger,
    registry: source,
    waiting,
    outcomes: waiting,
    payloads: ledger,
    publicUrl: testPublicUrl,
    now,
    newId,
  });
  const inFlight = createInFlight();
  const inFlightThere = createInFlight();
  const halts: TestRuns["halts"] = { current: [] };
  const actions = createRunActions(database);
  const leases = createLeases({ database, store: leaseStore, ledger, control: test.control, now });
  const serve = (inFlight: InFlight): Runs =>
    createRuns({
      database,
      store: runStore,
      queues: queueStore,
      actions,
      ledger,
      payloads: ledger,
      registry: source,
      halts: { current: () => halts.current },
      approvals,
      callers: test.identity.callers,
      revokeRun: (id, reason) => test.identity.revokeRun(id, reason),
      control: test.control,
      revokeLeases: leases.revokeIn,
      inFlight,
      publicUrl: testPublicUrl,
      now,
      newId,
    });
  const runs = serve(inFlight);
  const refusals = createRefusalRecorder({ ledger, logger: pino({ level: "silent" }), now });
  const queues = createQueues({ database, queues: queueStore, ledger, registry: source, refusals, now, newId });
  registerRunRoutes(test.app, { runs });
  registerQueueRoutes(test.app, { queues });
  return {
    ...test,
    runs,
    there: serve(inFlightThere),
    queues,
    approvals,
    actions,
    ledger,
    inFlight,
    inFlightThere,
    halts,
    async start(more) {
      const started = await runs.start(operator, startOf(more));
      if (started.run === null) throw new Error(started.reason);
      return started;
    },
    async enqueue(subject, key) {
      const work = { subject, payload: { ticket: subject }, ...(key !== undefined && { key }) };
      return (await queues.enqueue(operator, "billing-tier1", work)).item.id;
    },
    async act(run, state, { code = null, reason = null }: { code?: string | null; reason?: string | null } = {}) {
      const id = newId("action");
      const argumentsEntry = newId("entry");
      const caller = { agent: "support-agent", accountable: "ada", environment: "staging", run: { id: run } };
      await database.transaction(async (transaction) => {
        await transaction.query(
          `INSERT INTO action (id, digest, state, agent, environment, run_id, tool, effect, caller, arguments_entry, code, reason, requested_at)
           VALUES ($1, $2, $3, 'support-agent', 'staging', $4, 'helpdesk__send_email', 'write', $5, $6, $7, $8, $9)`,
          [id, "d".repeat(64), state, run, JSON.stringify(caller), argumentsEntry, code, reason, now()],
        );
        if (state !== "waiting") return;
        await approvals.request(transaction, {
          actionId: id,
          digest: "d".repeat(64),
          tool: "helpdesk__send_email",
          effect: "write",
          reversibility: "none",
          environment: "staging",
          agent: "support-agent",
          accountable: "ada",
          runId: run as Id<"run">,
          subject: null,
          argumentsEntry,
          reason: "Mail is looked at first.",
          approvals: [{ team: "support-lead", gates: ["mail.ask"] }],
          requestedAt: now(),
        });
      });
      return id;
    },
    async item(id) {
      const [row] = await database.query<{ state: string; attempts: number; runId: string | null }>(
        `SELECT state, attempts, run_id AS "runId" FROM queue_item WHERE id = $1`,
        [id],
      );
      if (row === undefined) throw new Error(`no item ${id}`);
      return row;
    },
    async runState(id) {
      return (await runs.get(id as Id<"run">)).state;
    },
    [Symbol.asyncDispose]: async () => {
      await refusals.stop();
      await ledger.close();
      await test[Symbol.asyncDispose]();
    },
  };
}
