import type { ActionOutcome, Caller, EntryType, Id, JsonObject, Person, RunBinding, ToolResult } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Registry } from "@remit/core";
import { buildRegistry } from "@remit/core/testing";
import { pino } from "pino";
import { approvalStore } from "../approval/approval.postgres.ts";
import { createApprovals } from "../approval/approval.service.ts";
import type { ApprovalService } from "../approval/approval.service.ts";
import { createControlState } from "../control/control-state.postgres.ts";
import type { RunningControlState } from "../control/control-state.postgres.ts";
import { startServerInstance } from "../control/server-instance.postgres.ts";
import { openDatabase } from "../database/database.postgres.ts";
import type { Database } from "../database/database.ts";
import type { TestDatabase } from "../database/testing.ts";
import { createFaultInjector } from "../fault/fault-injector.ts";
import { faultStore } from "../fault/fault.postgres.ts";
import { createFaults } from "../fault/fault.service.ts";
import type { FaultService } from "../fault/faults.ts";
import { haltStore } from "../halt/halt.postgres.ts";
import { createHalts } from "../halt/halt.service.ts";
import type { HaltService } from "../halt/halts.ts";
import { newId } from "../id/new-id.ts";
import { createLedger } from "../ledger/ledger.postgres.ts";
import { openTestLedger, testMasterKey } from "../ledger/ledger.testing.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import { createPayloadKeys } from "../ledger/payload-keys.postgres.ts";
import type { PayloadKeys } from "../ledger/payload-keys.ts";
import { createCedarEngine } from "../policy/cedar-engine.ts";
import type { PolicyEngine } from "../policy/policy-engine.ts";
import { createUntraced } from "../telemetry/untraced.ts";
import type { UpstreamCall } from "../upstream/upstreams.ts";
import type { ActionDeps } from "./action-deps.ts";
import type { ActionPath, Attempt } from "./action-path.ts";
import { createActionJournal } from "./action.journal.postgres.ts";
import { createActionPath } from "./action.pipeline.ts";
import { createInFlight } from "./in-flight.ts";
import { createUpstreamTaskStore } from "./upstream-tasks.postgres.ts";
import { createUpstreamTasks } from "./upstream-tasks.ts";
import type { UpstreamTasks } from "./upstream-tasks.ts";
import { createNormaliser } from "./normalise.ts";
import { createWaitingActions } from "./waiting-actions.postgres.ts";

type RegistryOverrides = NonNullable<Parameters<typeof buildRegistry>[0]>;

/** Everything is granted; mail waits for the support lead. */
export const mailWaits = `
@id("grants.everything") permit (principal, action, resource);
@id("mail.ask") @approval("support-lead")
forbid (principal, action == Remit::Action::"helpdesk__send_email", resource)
unless { context.approvals.contains(Remit::Team::"support-lead") };`;

export const everythingGranted = `@id("grants.everything") permit (principal, action, resource);`;

/** What becomes wrong with a server when a test says so. */
export type Faults = {
  /** The database cannot be reached. */
  databaseDown: boolean;
  /** Thrown by a transaction's last moment, when everything in it is done and nothing is committed. */
  beforeCommit: (() => void) | null;
  /** Its clock, for control state: more than 2,000 without a confirmation makes it stale. */
  monotonicMs: number;
};

/** One server's action path, with everything real about it but the upstreams. */
export type TestServer = {
  path: ActionPath & { executeGranted(): Promise<number> };
  deps: ActionDeps;
  payloadKeys: PayloadKeys;
  approvals: ApprovalService;
  halts: HaltService;
  /** Faults that people inject; `faults` are the test's own. */
  injected: FaultService;
  control: RunningControlState;
  database: Database;
  /** What upstreams do by themselves. */
  tasks: UpstreamTasks;
  faults: Faults;
  instance: string;
  act(tool: string, args: unknown, more?: Partial<Attempt> & { caller?: Caller }): Promise<ActionOutcome>;
  stop(): Promise<void>;
};

export type TestActionPath = TestServer &
  TestDatabase &
  LedgerParts & {
    /** Another server on the same database. */
    another(): Promise<TestServer>;
    clock: { now: number };
    upstream: ScriptedUpstreams;
    registry(): Registry;
    /** Puts another registry in force, on every server that confirms its control state. */
    apply(overrides: PathOverrides): Promise<void>;
    caller: Caller;
    /** A caller with a run of its own. */
    run(more?: Partial<RunBinding>): Promise<Caller & { run: RunBinding }>;
    person(party: string): Person;
    vote(outcome: ActionOutcome, vote?: "approve" | "deny", party?: string): Promise<void>;
    /** Entries of the ledger, oldest first; of one action, if it is named. */
    entries(actionId?: string): Promise<{ type: EntryType; actionId: string | null; actor: string; data: JsonObject }[]>;
    /** Every action's row. */
    actions(): Promise<{ id: string; state: string; code: string | null; tool: string; reservations: unknown[] }[]>;
    windows(): Promise<{ key: string; spent: number; reserved: number }[]>;
  };

export type PathOverrides = RegistryOverrides & {
  /** The text of the caller's policy set. */
  policy?: string;
  engine?: PolicyEngine;
};

export const startOfTest = Date.UTC(2026, 10, 21, 9);

const engine = createCedarEngine();
let registries = 0;

function registryOf({ policy = mailWaits, engine: _engine, ...overrides }: PathOverrides): Registry {
  registries += 1;
  const file = "policies/customer_support_tier1_v3/all.cedar";
  return buildRegistry({
    digest: registries.toString(16).padStart(64, "0"),
    policies: [{ name: "customer_support_tier1_v3", sources: [{ file, text: policy }] }],
    ...overrides,
  });
}

/** What an upstream was asked, and what it answers. */
export type ScriptedUpstreams = {
  calls: UpstreamCall[];
  /** Calls whose signal was aborted while they ran. */
  aborted: UpstreamCall[];
  answer: (call: UpstreamCall) => Promise<ToolResult> | ToolResult;
};

export const done: ToolResult = { content: [{ type: "text", text: "done" }] };

/** Answers nothing until it is told to stop, as an upstream's port does. */
export function hang(call: UpstreamCall): Promise<ToolResult> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(new RemitError("cancelled", "the call was cancelled"));
    if (call.signal.aborted) stop();
    else call.signal.addEventListener("abort", stop, { once: true });
  });
}

export async function openTestActionPath(overrides: PathOverrides = {}): Promise<TestActionPath> {
  const test = await openTestLedger();
  const clock = { now: startOfTest };
  const policy = overrides.engine ?? engine;
  let registry = registryOf(overrides);
  await policy.prepare(registry);
  const upstream: ScriptedUpstreams = { calls: [], aborted: [], answer: () => done };
  const servers: TestServer[] = [];

  async function another(): Promise<TestServer> {
    const server = await startTestServer({ url: test.url, registry: () => registry, policy, clock, upstream });
    servers.push(server);
    return server;
  }

  const first = await another();
  const caller = callerOf(registry);
  return {
    ...test,
    ...first,
    another,
    clock,
    upstream,
    registry: () => registry,
    async apply(changes) {
      registry = registryOf({ ...overrides, ...changes });
      await policy.prepare(registry);
      await test.database.transaction((transaction) => first.control.changed(transaction));
      await Promise.all(servers.map(({ control }) => control.refresh()));
    },
    caller,
    async run(more = {}) {
      const binding = runBinding(more);
      await test.database.query(
        `INSERT INTO run (id, state, workflow, agent, version, accountable, environment, policy, started_by, binding, max_actions,
                          deadline, lease_until, started_at)
         VALUES ($1, 'running', 'triage', $2, $3, 'ada', 'staging', $4, 'party:ben', $5, $6, $7, $7, now())`,
        [
          binding.id,
          caller.agent,
          caller.version,
          caller.policy,
          JSON.stringify(binding),
          binding.maxActions,
          new Date(binding.deadline).toISOString(),
        ],
      );
      return { ...caller, run: binding };
    },
    person: (party) => personOf(registry, party),
    async vote(outcome, vote = "approve", party = "ben") {
      if (outcome.type !== "waiting") throw new Error(`not waiting: ${JSON.stringify(outcome)}`);
      const reader = personOf(registry, party);
      const { digest } = await first.approvals.get(outcome.approvalId, reader);
      await first.approvals.vote(outcome.approvalId, reader, { vote, digest });
    },
    async entries(actionId) {
      const rows = await test.database.query<{ type: EntryType; action_id: string | null; actor: string; body: Buffer }>(
        `SELECT e.type, e.action_id, e.actor, e.body FROM ledger_entry e
         WHERE $1::text IS NULL OR e.action_id = $1 ORDER BY e.ctid`,
        [actionId ?? null],
      );
      return rows.map(({ type, action_id, actor, body }) => ({
        type,
        actionId: action_id,
        actor,
        data: (JSON.parse(body.toString()) as { data: JsonObject }).data,
      }));
    },
    actions: () => test.database.query(`SELECT id, state, code, tool, reservations FROM action ORDER BY place`),
    async windows() {
      const rows = await test.database.query<{ key: string; spent: string; reserved: string }>(
        "SELECT key, spent, reserved FROM budget_window ORDER BY key",
      );
      return rows.map(({ key, spent, reserved }) => ({ key, spent: Number(spent), reserved: Number(reserved) }));
    },
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) await server.stop();
      await test[Symbol.asyncDispose]();
    },
  };
}

type Shared = { url: string; registry: () => Registry; policy: PolicyEngine; clock: { now: number }; upstream: ScriptedUpstreams };

async function startTestServer({ url, registry, policy, clock, upstream }: Shared): Promise<TestServer> {
  const faults: Faults = { databaseDown: false, beforeCommit: null, monotonicMs: 0 };
  const database = breakable(openDatabase({ url, poolSize: 6 }), faults);
  const payloadKeys = createPayloadKeys({ database, masterKey: testMasterKey });
  const ledger = createLedger({ database, payloadKeys });
  const now = (): Date => new Date(clock.now);
  const tracing = createUntraced();
  const instance = await startServerInstance({ database, onError: () => undefined });
  const control = createControlState({ database, monotonicMs: () => faults.monotonicMs, onError: () => undefined });
  const inFlight = createInFlight();
  const onTaskError = (error: unknown): void => {
    throw error;
  };
  const tasks = createUpstreamTasks({ store: createUpstreamTaskStore(database), inFlight, now, onError: onTaskError, pollMs: 50 });
  const haltRun = async (): Promise<boolean> => false;
  const halts = createHalts({ database, store: haltStore, ledger, control, inFlight, haltRun, now, newId });
  const waiting = createWaitingActions({ database, ledger, tracing, registry: { current: registry }, newId });
  const source = { current: registry };
  const injected = createFaults({ database, store: faultStore, ledger, control, registry: source, now, newId });
  const inject = createFaultInjector({ faults: injected, registry: source, now });
  const publicUrl = new URL("http://localhost:4680");
  const approvals = createApprovals({
    database,
    store: approvalStore,
    ledger,
    registry: source,
    waiting,
    outcomes: waiting,
    payloads: ledger,
    publicUrl,
    now,
    newId,
  });
  const journal = createActionJournal({ database, ledger, approvals, instance: instance.id });
  const deps: ActionDeps = {
    registry: source,
    control,
    halts,
    policy,
    journal,
    approvals,
    payloads: ledger,
    upstreams: {
      async call(call) {
        return inject(call, async (sent) => {
          upstream.calls.push(sent);
          sent.signal.addEventListener("abort", () => upstream.aborted.push(sent), { once: true });
          return upstream.answer(sent);
        });
      },
    },
    normaliser: createNormaliser(),
    inFlight,
    upstreamTasks: tasks,
    tracing,
    logger: pino({ level: "silent" }),
    now,
    newId,
    crash: () => undefined,
  };
  const path = createActionPath(deps);
  await control.refresh();
  return {
    path,
    deps,
    payloadKeys,
    approvals,
    halts,
    injected,
    control,
    database,
    tasks,
    faults,
    instance: instance.id,
    act: (tool, args, { caller = callerOf(registry()), ...more } = {}) =>
      path.act(caller, { tool: `helpdesk__${tool}`, arguments: args, signal: new AbortController().signal, ...more }),
    async stop() {
      Object.assign(faults, { databaseDown: false, beforeCommit: null });
      tasks.stop();
      await journal.idle();
      await instance.stop();
      await control.stop();
      await ledger.close();
      await database.close();
    },
  };
}

function breakable(database: Database, faults: Faults): Database {
  const check = (): void => {
    if (faults.databaseDown) throw new RemitError("database-unavailable", "The database cannot be reached: it is down in this test");
  };
  return {
    async query(sql, values) {
      check();
      return database.query(sql, values);
    },
    async transaction(work) {
      check();
      return database.transaction(async (transaction) => {
        const result = await work(transaction);
        check();
        faults.beforeCommit?.();
        return result;
      });
    },
    async atomically(statements) {
      check();
      faults.beforeCommit?.();
      return database.atomically(statements);
    },
    close: () => database.close(),
  };
}

function callerOf(registry: Registry): Caller {
  const agent = registry.agents.get("support-agent");
  return {
    agent: "support-agent",
    version: agent?.version ?? "",
    accountable: agent?.spec.accountable ?? "ada",
    environment: "staging",
    policy: "customer_support_tier1_v3",
    run: null,
    tokenId: newId("token"),
    expiresAt: Number.MAX_SAFE_INTEGER,
  };
}

function runBinding(more: Partial<RunBinding>): RunBinding {
  const id: Id<"run"> = newId("run");
  return {
    id,
    workflow: "triage",
    queue: "billing-tier1",
    subject: "Ticket 1042",
    maxActions: 20,
    deadline: Date.UTC(2126, 0),
    requireApproval: [],
    approvers: "support-lead",
    serviceName: null,
    ...more,
  };
}

function personOf(registry: Registry, party: string): Person {
  const roles = registry.parties.get(party)?.roles ?? [];
  return { party, roles, sessionId: newId("session"), linkedBy: "service:machine" };
}

/** How often each terminal entry stands in the ledger, by action. */
export function terminalEntries(entries: { type: EntryType; actionId: string | null }[]): Map<string, EntryType[]> {
  const ends = new Map<string, EntryType[]>();
  for (const { type, actionId } of entries) {
    if (actionId === null || !/^action-(denied|expired|rejected|cancelled|halted|succeeded|failed|unknown)$/.test(type)) continue;
    ends.set(actionId, [...(ends.get(actionId) ?? []), type]);
  }
  return ends;
}
