import type { ClaimedItem, Containment, Id, IdKind, RunView } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { EndState, RunTerms } from "@remit/core";
import { afterRun, durationSeconds, overdue, runTerms, withdrawsQuestions } from "@remit/core";
import type { InFlight } from "../action/in-flight.ts";
import type { ApprovalService } from "../approval/approval.service.ts";
import type { ControlState } from "../control/control-state.ts";
import type { Database, Transaction } from "../database/database.ts";
import type { Halts } from "../halt/halts.ts";
import { pageOf } from "../http/page.ts";
import type { Callers } from "../identity/callers.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Payloads } from "../ledger/payloads.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { RevokeLeasesIn } from "../secret/leases.ts";
import { parseTraceparent } from "../telemetry/traceparent.ts";
import type { QueueStore, StoredItem } from "./queue.store.ts";
import { createRunEntries, runsActor } from "./run-entries.ts";
import { claimedItem, viewRun } from "./run-view.ts";
import type { RunActions, RunStore, StoredRun } from "./run.store.ts";
import type { RunHolder, Runs } from "./runs.ts";

export type RunOptions = {
  database: Database;
  store: RunStore;
  queues: QueueStore;
  actions: RunActions;
  ledger: Pick<Ledger, "append">;
  registry: RegistrySource;
  halts: Pick<Halts, "current">;
  approvals: Pick<ApprovalService, "withdraw">;
  payloads: Payloads;
  callers: Pick<Callers, "issueForRun" | "verify">;
  /** Takes back the tokens of a run, on every server: a change of the control state. */
  revokeRun(id: Id<"run">, reason: string): Promise<void>;
  /** What the run could do at upstreams ends with it, in the same transaction. */
  revokeLeases?: RevokeLeasesIn;
  control: Pick<ControlState, "onChange">;
  inFlight: Pick<InFlight, "cancelRun" | "runs">;
  /** Where callers reach this server. */
  publicUrl: URL;
  now: () => Date;
  newId: <Kind extends IdKind>(kind: Kind) => Id<Kind>;
};

/** How long a run without a queue is kept without being renewed; with one, its queue says. Tokens are renewed half-way to it. */
const leaseWithoutQueueMs = 120_000;
/** Shorter than this, a pause of the machine would lose the run. */
const leastLeaseMs = 5_000;

const dueAtOnce = 100;

type End = { state: EndState; reason: string; actor: string; at: number; containment?: Containment };

export function createRuns(options: RunOptions): Runs {
  const { database, store, queues, ledger, registry } = options;
  const entries = createRunEntries(() => options.newId("entry"));
  const nowMs = (): number => options.now().getTime();
  // As the gateway calls itself: no slash where the public address has a path.
  const mcpUrl = `${options.publicUrl.href.replace(/\/$/, "")}/mcp`;

  /** Ends a run that is held and running, and says what becomes of its work and its questions. */
  async function finish(transaction: Transaction, run: StoredRun, end: End): Promise<void> {
    const item = await queues.lockClaimed(transaction, run.id);
    const after = item === null ? null : afterRun(end.state, item.attempts, item.maxAttempts);
    await store.end(transaction, run.id, end);
    if (item !== null && after !== null) {
      await queues.release(transaction, item.id, { state: after, endedAt: after === "ready" ? null : new Date(end.at) });
    }
    await ledger.append(transaction, entries.ended(run, end, item === null || after === null ? null : { item, after }));
    await options.revokeLeases?.(transaction, { type: "run", name: run.id }, `the run has ended (${end.state})`, end.actor);
    if (withdrawsQuestions(end.state, after)) {
      const reason = `The run that asked has ended (${end.state}): ${end.reason}`;
      await options.approvals.withdraw(transaction, run.id, { reason, actor: end.actor, at: new Date(end.at) });
    }
  }

  /** Ends a run if it is running; its state afterwards. */
  async function endOnce(
    transaction: Transaction,
    id: Id<"run">,
    end: End,
  ): Promise<{ state: StoredRun["state"]; changed: boolean } | null> {
    const run = await store.lock(transaction, id);
    if (run === null) return null;
    if (run.state !== "running") return { state: run.state, changed: false };
    await finish(transaction, run, end);
    return { state: end.state, changed: true };
  }

  /** Stops what this server executes for runs that were cancelled, here or through another server. */
  async function stopCancelled(): Promise<void> {
    const flying = options.inFlight.runs();
    if (flying.length === 0) return;
    for (const { id, reason } of await store.cancelled(database, flying)) {
      options.inFlight.cancelRun(id, `The run was cancelled: ${reason}.`);
    }
  }
  options.control.onChange(stopCancelled);

  async function claim(actor: string, terms: RunTerms, start: Parameters<Runs["start"]>[1]): Promise<Claimed | null> {
    return database.transaction(async (transaction) => {
      const ready = terms.queue === null ? null : await queues.lockReady(transaction, terms.queue);
      if (terms.queue !== null && ready === null) return null;
      const queue = terms.queue === null ? undefined : registry.current().queues.get(terms.queue);
      const at = nowMs();
      const run = newRun(options.newId("run"), terms, { actor, start, at, subject: ready?.subject ?? null, lease: leaseOf(queue) });
      await store.insert(transaction, run);
      const maxAttempts = queue?.maxAttempts ?? 1;
      const item = ready === null ? null : { ...ready, attempts: ready.attempts + 1, maxAttempts };
      if (item !== null) await queues.claim(transaction, item.id, { run: run.id, maxAttempts });
      await ledger.append(transaction, entries.started(run, item));
      return { run, item };
    });
  }

  /** The item with what the agent is given. @throws RemitError `not-found`: that has been erased, or was kept as long as it may be */
  async function opened(item: StoredItem): Promise<ClaimedItem> {
    if (item.payloadEntry === null) return claimedItem(item);
    const sealed = await options.payloads.open(item.payloadEntry, "item");
    const payload = sealed?.["payload"];
    if (typeof payload === "object" && payload !== null && !Array.isArray(payload)) return claimedItem({ ...item, payload });
    throw new RemitError("not-found", `What ${item.id} held has been erased`);
  }

  async function issue(run: StoredRun): Promise<{ token: string; expiresAt: Date }> {
    const { agent, version, accountable, environment, policy, binding } = run;
    return options.callers.issueForRun({ agent, version, accountable, environment, policy, run: binding });
  }

  async function requireHolder(run: StoredRun, holder: RunHolder): Promise<void> {
    if (holder.type === "agent") {
      const caller = await options.callers.verify(holder.token, mcpUrl);
      if (caller.run?.id === run.id) return;
      throw new RemitError("forbidden", "The token is not one of this run");
    }
    if (holder.actor === run.startedBy) return;
    throw new RemitError("forbidden", `Only ${run.startedBy}, who started the run, can renew its token`);
  }

  async function view(run: StoredRun): Promise<RunView> {
    return viewRun(run, (await options.actions.counts([run.id])).get(run.id) ?? {});
  }

  async function read(id: Id<"run">): Promise<StoredRun> {
    const run = await store.read(database, id);
    if (run === null) throw unknown(id);
    return run;
  }

  return {
    async start(actor, start) {
      const admitted = runTerms(registry.current(), options.halts.current(), start);
      if (admitted.type === "refused") {
        const { code, reason, pointer } = admitted;
        throw new RemitError(code, reason, { issues: [{ message: reason, pointer }] });
      }
      const { terms } = admitted;
      const claimed = await claim(actor, terms, start);
      if (claimed === null) return { run: null, reason: "queue-empty" };
      const { run, item } = claimed;
      let issued: { token: string; expiresAt: Date };
      let work: ClaimedItem | null;
      try {
        work = item === null ? null : await opened(item);
        issued = await issue(run);
      } catch (error) {
        // Nobody will ever follow this run; its work need not wait for the lease to lapse.
        const reason = `It could not begin: ${error instanceof Error ? error.message : String(error)}`;
        await database.transaction((transaction) =>
          endOnce(transaction, run.id, { state: "failed", reason, actor: runsActor, at: nowMs() }),
        );
        throw error;
      }
      return {
        run: viewRun(run, {}),
        ...tokenOf(issued, run.leaseUntil),
        mcpUrl,
        agent: { command: terms.workflow.command, cwd: terms.workflow.cwd ?? null, sandbox: terms.workflow.sandbox ?? null },
        item: work,
      };
    },

    async renew(id, holder) {
      const run = await read(id);
      await requireHolder(run, holder);
      if (run.state !== "running") throw over(run.state);
      // The token first: a run whose agent may not act any more is not kept.
      const issued = await issue(run);
      const { queue } = run.binding;
      const leaseUntil = nowMs() + leaseOf(queue === null ? undefined : registry.current().queues.get(queue));
      if (!(await store.renew(database, id, leaseUntil))) throw over((await read(id)).state);
      return tokenOf(issued, leaseUntil);
    },

    async end(id, actor, { outcome, reason, containment }) {
      const end = { state: outcome, reason, actor, at: nowMs(), ...(containment !== undefined && { containment }) };
      const ended = await database.transaction((transaction) => endOnce(transaction, id, end));
      if (ended === null) throw unknown(id);
      if (ended.state !== outcome) throw new RemitError("conflict", `The run has ended already: it is ${ended.state} and not ${outcome}`);
      if (outcome === "cancelled") {
        // The run's state already refuses whatever is tried from now on. Also when it is repeated: the first may have been cut off here.
        await stopCancelled();
        await options.revokeRun(id, reason);
      }
      return view(await read(id));
    },

    get: async (id) => view(await read(id)),

    async list(query) {
      const page = pageOf(await store.list(database, { ...query, limit: query.limit + 1 }), query.limit, ({ id }) => [id]);
      const counts = await options.actions.counts(page.items.map(({ id }) => id));
      return { items: page.items.map((run) => viewRun(run, counts.get(run.id) ?? {})), next: page.next };
    },

    async actions(id, query) {
      await read(id);
      const rows = await options.actions.list(id, { ...query, limit: query.limit + 1 });
      const page = pageOf(rows, query.limit, ({ place }) => [place]);
      return { items: page.items.map(({ action }) => action), next: page.next };
    },

    async haltRun(transaction, id, reason, actor = runsActor) {
      return (await endOnce(transaction, id, { state: "halted", reason, actor, at: nowMs() }))?.changed === true;
    },

    async catchUp(onError) {
      let changed = 0;
      for (const id of await store.due(database, nowMs(), dueAtOnce)) {
        try {
          changed += await database.transaction((transaction) => expire(transaction, id));
        } catch (error) {
          onError(error, id);
        }
      }
      return changed;
    },
  };

  /** One run that time has ended. Zero: another server is at it, or it was renewed or ended meanwhile. */
  async function expire(transaction: Transaction, id: Id<"run">): Promise<number> {
    const run = await store.lock(transaction, id, { skipLocked: true });
    const at = nowMs();
    if (run === null || run.state !== "running") return 0;
    const state = overdue({ leaseUntil: run.leaseUntil, deadline: run.binding.deadline }, at);
    if (state === null) return 0;
    const reason = state === "lost" ? "Nobody follows it any more: its token was not renewed in time." : "Its time is up.";
    await finish(transaction, run, { state, reason, actor: runsActor, at });
    return 1;
  }
}

type Claimed = { run: StoredRun; item: StoredItem | null };

function newRun(
  id: Id<"run">,
  terms: RunTerms,
  more: { actor: string; start: Parameters<Runs["start"]>[1]; at: number; subject: string | null; lease: number },
): StoredRun {
  const { workflow, agent, environment, policy, queue, maxActions, requireApproval } = terms;
  return {
    id,
    state: "running",
    agent: agent.spec.name,
    version: agent.version,
    accountable: agent.spec.accountable,
    environment,
    policy,
    binding: {
      id,
      workflow: workflow.name,
      queue,
      subject: more.subject,
      maxActions,
      deadline: more.at + terms.wallclock,
      requireApproval,
      approvers: workflow.approvers,
      serviceName: more.start.serviceName ?? null,
    },
    startedBy: more.actor,
    leaseUntil: more.at + more.lease,
    traceId: parseTraceparent(more.start.traceparent ?? "")?.traceId ?? null,
    reason: null,
    startedAt: more.at,
    endedAt: null,
  };
}

function leaseOf(queue: { visibilityTimeout: string } | undefined): number {
  return queue === undefined ? leaseWithoutQueueMs : Math.max(durationSeconds(queue.visibilityTimeout) * 1_000, leastLeaseMs);
}

/** Whoever holds a token renews it half-way to its end, so it is said to end no later than the lease: then the lease never lapses first. */
function tokenOf({ token, expiresAt }: { token: string; expiresAt: Date }, leaseUntil: number): { token: string; tokenExpiresAt: string } {
  return { token, tokenExpiresAt: new Date(Math.min(expiresAt.getTime(), leaseUntil)).toISOString() };
}

function over(state: StoredRun["state"]): RemitError {
  return new RemitError("run-ended", `The run has ended (${state}); start another.`);
}

function unknown(id: string): RemitError {
  return new RemitError("not-found", `There is no run ${id}.`);
}
