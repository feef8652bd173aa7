import type { ApprovalState, ApprovalView, Id, IdKind, JsonObject, Person, VoteInput } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Registry } from "@remit/core";
import { castVote, delegateVote, eligible, eligibleFor, escalate, nextEscalation, openApproval } from "@remit/core";
import type { Database, Transaction } from "../database/database.ts";
import { pageOf } from "../http/page.ts";
import type { Page } from "../http/page.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Payloads } from "../ledger/payloads.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { approvalsActor, createApprovalEntries } from "./approval-entries.ts";
import { mayCancel, maySeeArguments, viewApproval } from "./approval-view.ts";
import type { ApprovalStore, StoredApproval } from "./approval.store.ts";
import type { ActionOutcomes, ApprovalRequest, Approvals, OpenApproval, WaitingActions } from "./approvals.ts";

export type ApprovalOptions = {
  database: Database;
  store: ApprovalStore;
  ledger: Ledger;
  registry: RegistrySource;
  waiting: WaitingActions;
  outcomes: ActionOutcomes;
  payloads: Payloads;
  /** Where people reach this server. */
  publicUrl: URL;
  now: () => Date;
  newId: <Kind extends IdKind>(kind: Kind) => Id<Kind>;
};

/** A list of requests: of these states (null: all), those before a position, newest first; opening the arguments of each only if asked to. */
export type ApprovalQuery = { states: readonly ApprovalState[] | null; before: string | null; limit: number; withArguments: boolean };

/** What people do with requests, and what time does to them. Every change commits together with its entries. */
export type ApprovalService = Approvals & {
  /** @throws RemitError `not-found` */
  get(id: Id<"approval">, reader: Person): Promise<ApprovalView>;
  list(reader: Person, query: ApprovalQuery): Promise<Page<ApprovalView>>;
  /** @throws RemitError `not-found` | `conflict` (another digest) | `approval-not-eligible` | `approval-decided` | `approval-expired` | `approval-cancelled` */
  vote(id: Id<"approval">, person: Person, vote: VoteInput): Promise<ApprovalView>;
  /** @throws RemitError as `vote`, and `invalid-request` for somebody who cannot take it */
  delegate(id: Id<"approval">, person: Person, to: string): Promise<ApprovalView>;
  /** @throws RemitError `not-found` | `forbidden` | `approval-decided` | `approval-expired` */
  cancel(id: Id<"approval">, person: Person, reason: string): Promise<ApprovalView>;
  /** Calls off one request for whoever asked. False: it had been used, or had ended. */
  withdrawRequest(id: Id<"approval">, end: { reason: string; actor: string }): Promise<boolean>;
  /** Calls off whatever a run still waits for, in the transaction that ends the run. */
  withdraw(transaction: Transaction, runId: Id<"run">, end: { reason: string; actor: string; at: Date }): Promise<void>;
  /** Expires and escalates what is due. How many requests it changed; `onError` is told of each that could not be. */
  catchUp(onError: (error: unknown, id: Id<"approval">) => void): Promise<number>;
};

/** A grant that is not used for this long, and past its request's expiry, is not used any more: the world has moved on. */
const grantLastsMs = 15 * 60_000;

const dueAtOnce = 100;

export function createApprovals(options: ApprovalOptions): ApprovalService {
  const { database, store, ledger, registry } = options;
  const entries = createApprovalEntries(() => options.newId("entry"));
  const listeners: (() => void)[] = [];
  const linkTo = (id: Id<"approval">): string => new URL(`/approvals/${id}`, options.publicUrl).href;
  const nowMs = (): number => options.now().getTime();

  async function hold(transaction: Transaction, id: Id<"approval">): Promise<StoredApproval> {
    const approval = await store.lock(transaction, id);
    if (approval === null) throw unknown(id);
    return approval;
  }

  /** Ends a request that has not authorised anything, and with it the action that waits for it. */
  async function end(
    transaction: Transaction,
    approval: StoredApproval,
    how: { state: "expired" | "cancelled"; reason: string; actor: string; at: number },
  ): Promise<void> {
    const ended: StoredApproval = { ...approval, state: how.state, decidedAt: how.at, escalateAt: null, endedReason: how.reason };
    await store.update(transaction, ended);
    const { at, actor, state, reason } = how;
    const said = state === "expired" ? entries.expired(ended, approval.state === "granted", at) : entries.cancelled(ended, actor, at);
    await ledger.append(transaction, said);
    await options.waiting.end(transaction, approval.actionId, { state, reason, actor, at: new Date(at) });
  }

  function expire(transaction: Transaction, approval: StoredApproval, at: number): Promise<void> {
    const reason = approval.state === "granted" ? "The approval was not used in time." : "Nobody decided in time.";
    return end(transaction, approval, { state: "expired", reason, actor: approvalsActor, at });
  }

  /** Runs a change on the held row. A request that is found overdue expires there and then, whatever is answered. */
  async function change<Answer extends { type: string }>(
    id: Id<"approval">,
    person: Person,
    work: (transaction: Transaction, approval: StoredApproval, people: Registry, at: number) => Promise<Answer>,
  ): Promise<Exclude<Answer, { type: "refused" }>> {
    const people = registry.current();
    const answer = await database.transaction(async (transaction) => {
      const approval = await hold(transaction, id);
      const at = nowMs();
      const result = await work(transaction, approval, people, at);
      if (result.type === "refused" && isOverdue(approval, at)) await expire(transaction, approval, at);
      return { result, approval };
    });
    const { result, approval } = answer;
    if (!isRefused(result)) return result as Exclude<Answer, { type: "refused" }>;
    await ledger.record({
      id: options.newId("entry"),
      type: "access-refused",
      at: options.now().toISOString(),
      actor: `party:${person.party}`,
      actionId: approval.actionId,
      approvalId: id,
      ...(typeof approval.traceId === "string" && { traceId: approval.traceId }),
      data: { code: result.code, reason: result.reason },
    });
    throw new RemitError(result.code, result.reason);
  }

  async function view(
    approval: StoredApproval,
    reader: Person,
    { outcomes, withArguments }: { outcomes: ReadonlyMap<Id<"action">, string>; withArguments: boolean },
  ): Promise<ApprovalView> {
    const people = registry.current();
    const shown = withArguments && maySeeArguments(approval, reader, people) ? await argumentsOf(approval) : null;
    const outcome = outcomes.get(approval.actionId) ?? null;
    return viewApproval(approval, { reader, people, now: nowMs(), arguments: shown, outcome, link: linkTo(approval.id) });
  }

  async function get(id: Id<"approval">, reader: Person): Promise<ApprovalView> {
    const approval = await store.read(database, id);
    if (approval === null) throw unknown(id);
    const outcomes = await options.outcomes.outcomes([approval.actionId]);
    return view(approval, reader, { outcomes, withArguments: true });
  }

  /** Null where they have been erased, or are not what was sealed: then there is nothing to show, and nothing to approve. */
  async function argumentsOf({ argumentsEntry }: StoredApproval): Promise<JsonObject | null> {
    try {
      return await options.payloads.open(argumentsEntry, "arguments");
    } catch (error) {
      if (RemitError.is(error) && error.code === "database-unavailable") throw error;
      return null;
    }
  }

  function toOpen({ id, expiresAt, requirements }: StoredApproval): OpenApproval {
    return { id, link: linkTo(id), expiresAt: new Date(expiresAt), teams: requirements.map(({ team }) => team) };
  }

  return {
    async request(transaction: Transaction, request: ApprovalRequest): Promise<OpenApproval> {
      const people = registry.current();
      const requestedAt = request.requestedAt.getTime();
      const opened = openApproval({ accountable: request.accountable, approvals: request.approvals, requestedAt }, people);
      if (opened.type === "refused") throw new RemitError(opened.code, opened.reason);
      const { approvals: _asked, ...asked } = request;
      const approval: StoredApproval = {
        ...asked,
        id: options.newId("approval"),
        state: "pending",
        requirements: opened.requirements,
        votes: [],
        delegations: [],
        requestedAt,
        expiresAt: opened.expiresAt,
        escalateAt: null,
        usableUntil: null,
        decidedAt: null,
        endedReason: null,
      };
      approval.escalateAt = nextEscalation(approval, people);
      await store.insert(transaction, approval);
      await ledger.append(transaction, entries.requested(approval, eligible(approval, people)));
      return toOpen(approval);
    },

    async open(actionId) {
      const approval = await store.pendingOf(database, actionId);
      return approval === null ? null : toOpen(approval);
    },

    granted: (limit) => store.granted(database, nowMs(), limit),

    async consume(transaction, id, digest) {
      const at = nowMs();
      const consumed = await store.consume(transaction, id, digest, at);
      if (consumed === null) return false;
      await ledger.append(transaction, entries.consumed({ id, ...consumed }, digest, at));
      return true;
    },

    async markStale(transaction, id, reason) {
      const approval = await hold(transaction, id);
      if (approval.state !== "granted") return;
      const stale: StoredApproval = { ...approval, state: "stale", endedReason: reason };
      await store.update(transaction, stale);
      await ledger.append(transaction, entries.stale(stale, nowMs()));
    },

    onGranted: (listener) => void listeners.push(listener),

    get,

    async list(reader, query) {
      const page = pageOf(await store.list(database, { ...query, limit: query.limit + 1 }), query.limit, ({ id }) => [id]);
      const outcomes = await options.outcomes.outcomes(page.items.map(({ actionId }) => actionId));
      const { withArguments } = query;
      const items = await Promise.all(page.items.map((approval) => view(approval, reader, { outcomes, withArguments })));
      return { items, next: page.next };
    },

    async vote(id, person, input) {
      // Before the transaction: opening them takes a connection of its own, and many voters holding one each would wait for ever.
      const asked = await store.read(database, id);
      const isBlind = asked !== null && (await argumentsOf(asked)) === null;
      const result = await change(id, person, async (transaction, approval, people, at) => {
        const { vote, digest, comment = null } = input;
        const ballot = { party: person.party, sameAs: linkerOf(person, people), vote, digest, comment };
        const cast = castVote(approval, ballot, people, at);
        if (cast.type !== "recorded") return cast;
        if (isBlind && vote === "approve") {
          const reason = "Its arguments cannot be shown any more, and what cannot be shown cannot be approved.";
          return { type: "refused" as const, code: "conflict" as const, reason };
        }
        const decided = cast.approval.state !== "pending";
        const voted: StoredApproval = {
          ...approval,
          ...cast.approval,
          escalateAt: nextEscalation(cast.approval, people),
          decidedAt: decided ? at : null,
          usableUntil: cast.approval.state === "granted" ? Math.max(approval.expiresAt, at + grantLastsMs) : null,
          endedReason: cast.approval.state === "denied" ? comment : null,
        };
        await store.update(transaction, voted);
        await ledger.append(transaction, entries.voted(voted, at));
        if (voted.state === "denied") {
          const actor = `party:${person.party}`;
          const reason = `${person.party} denied it.`;
          await options.waiting.end(transaction, approval.actionId, { state: "rejected", reason, actor, at: new Date(at) });
        }
        return cast;
      });
      if (result.type === "recorded" && result.approval.state === "granted") for (const listener of listeners) listener();
      return get(id, person);
    },

    async delegate(id, person, to) {
      await change(id, person, async (transaction, approval, people, at) => {
        const from = person.party;
        const delegated = delegateVote(approval, { from, to }, people, at);
        if (delegated.type !== "delegated") return delegated;
        const after: StoredApproval = { ...approval, ...delegated.approval };
        await store.update(transaction, after);
        await ledger.append(transaction, entries.delegated(after, from, to, at));
        return delegated;
      });
      return get(id, person);
    },

    async cancel(id, person, reason) {
      await change(id, person, async (transaction, approval, _people, at) => {
        if (!mayCancel(approval, person)) {
          const who = `${approval.accountable}, who answers for ${approval.agent}, or an operator may`;
          return { type: "refused" as const, code: "forbidden" as const, reason: `Only ${who} cancel this request.` };
        }
        if (approval.state === "cancelled") return { type: "repeated" as const };
        if (isOverdue(approval, at) || (approval.state !== "pending" && approval.state !== "granted")) {
          const state = isOverdue(approval, at) ? "expired" : approval.state;
          const code = state === "expired" ? ("approval-expired" as const) : ("approval-decided" as const);
          return { type: "refused" as const, code, reason: `The request is ${state} already and cannot be cancelled.` };
        }
        await end(transaction, approval, { state: "cancelled", reason, actor: `party:${person.party}`, at });
        return { type: "cancelled" as const };
      });
      return get(id, person);
    },

    async withdrawRequest(id, { reason, actor }) {
      return database.transaction(async (transaction) => {
        const approval = await hold(transaction, id);
        if (approval.state !== "pending" && approval.state !== "granted") return false;
        await end(transaction, approval, { state: "cancelled", reason, actor, at: nowMs() });
        return true;
      });
    },

    async withdraw(transaction, runId, { reason, actor, at }) {
      for (const approval of await store.lockOpenOfRun(transaction, runId)) {
        await end(transaction, approval, { state: "cancelled", reason, actor, at: at.getTime() });
      }
    },

    async catchUp(onError) {
      let changed = 0;
      for (const id of await store.due(database, nowMs(), dueAtOnce)) {
        try {
          changed += await database.transaction((transaction) => advance(transaction, id));
        } catch (error) {
          onError(error, id);
        }
      }
      return changed;
    },
  };

  /** One request that something is due for. Zero: another server is at it, or somebody decided meanwhile. */
  async function advance(transaction: Transaction, id: Id<"approval">): Promise<number> {
    const approval = await store.lock(transaction, id, { skipLocked: true });
    const at = nowMs();
    if (approval === null || (approval.state !== "pending" && approval.state !== "granted")) return 0;
    if (isOverdue(approval, at)) {
      await expire(transaction, approval, at);
      return 1;
    }
    if (approval.escalateAt === null || approval.escalateAt > at) return 0;
    const people = registry.current();
    const { approval: asked, escalations } = escalate(approval, people, at);
    const after: StoredApproval = { ...approval, ...asked, escalateAt: nextEscalation(asked, people) };
    await store.update(transaction, after);
    const told = escalations.map((escalation) => {
      const requirement = { team: escalation.to, quorum: 1, gates: [], asked: [{ team: escalation.to, at }] };
      return { ...escalation, asked: eligibleFor(requirement, approval, people) };
    });
    await ledger.append(transaction, entries.escalated(after, told, at));
    return 1;
  }
}

function isOverdue(approval: StoredApproval, at: number): boolean {
  if (approval.state === "granted") return approval.usableUntil !== null && at >= approval.usableUntil;
  return approval.state === "pending" && at >= approval.expiresAt;
}

function isRefused(answer: { type: string }): answer is { type: "refused"; code: RemitError["code"]; reason: string } {
  return answer.type === "refused";
}

function unknown(id: string): RemitError {
  return new RemitError("not-found", `There is no request ${id}.`);
}

/** The person who made somebody's login; null where it was this machine or himself. */
function linkerOf({ party, linkedBy }: Person, people: Registry): string | null {
  const linker = linkedBy.startsWith("party:") ? linkedBy.slice("party:".length) : linkedBy;
  return linker !== party && people.parties.has(linker) ? linker : null;
}
