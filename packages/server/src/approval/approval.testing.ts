import type { ApprovalView, EntryType, Id, JsonObject, Person, RequiredApproval } from "@remit/contract";
import type { Registry } from "@remit/core";
import { buildRegistry } from "@remit/core/testing";
import { newId } from "../id/new-id.ts";
import { openTestLedger } from "../ledger/ledger.testing.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import type { TestDatabase } from "../database/testing.ts";
import { approvalStore } from "./approval.postgres.ts";
import { createApprovals } from "./approval.service.ts";
import type { ApprovalService } from "./approval.service.ts";
import type { ApprovalRequest, OpenApproval } from "./approvals.ts";

export const startOfTest = Date.UTC(2026, 10, 21, 9);
export const testDigest = "d".repeat(64);

/** `ada` answers for the agent; support-lead is ben and cleo, two of whom must agree in `pair`; `board` is where support-lead goes next. */
export const testRegistry = (overrides: Parameters<typeof buildRegistry>[0] = {}): Registry =>
  buildRegistry({
    parties: [
      { name: "emil", displayName: "Emil Board", roles: [] },
      { name: "fay", displayName: "Fay Else", roles: [] },
    ],
    teams: [
      {
        name: "support-lead",
        members: ["ben", "cleo"],
        approval: { quorum: 1, expiresAfter: "PT4H", escalateTo: "board", escalateAfter: "PT1H" },
      },
      { name: "pair", members: ["ben", "cleo", "ada"], approval: { quorum: 2, expiresAfter: "PT4H" } },
      { name: "board", members: ["emil"], approval: { quorum: 1, expiresAfter: "PT4H" } },
    ],
    ...overrides,
  });

export type TestApprovals = TestDatabase &
  LedgerParts & {
    approvals: ApprovalService;
    /** Another server on the same database. */
    another(): ApprovalService;
    registry: { current: Registry };
    clock: { now: number };
    /** Opens a request as the action path does, with this action's arguments sealed in the ledger. */
    ask(more?: {
      arguments?: JsonObject;
      teams?: RequiredApproval[];
      request?: Partial<ApprovalRequest>;
    }): Promise<OpenApproval & { actionId: Id<"action"> }>;
    /** How the action of a request ended, as its row says; null: it waits. */
    ended(actionId: Id<"action">): Promise<{ state: string; reason: string; actor: string } | null>;
    /** Entries about a request, in the order of their making. */
    entries(id: Id<"approval">): Promise<{ type: EntryType; actor: string; data: JsonObject }[]>;
    person(party: string, more?: Partial<Person>): Person;
  };

/** Approvals as a server has them: a real database and ledger. Waiting actions are rows of a table here, ended in the same transaction. */
export async function openTestApprovals(): Promise<TestApprovals> {
  const test = await openTestLedger();
  await test.superuser.query(
    `CREATE TABLE test_action (id text PRIMARY KEY, state text, reason text, actor text); GRANT SELECT, INSERT, UPDATE ON test_action TO remit_app`,
  );
  const registry = { current: testRegistry() };
  const clock = { now: startOfTest };
  const another = (): ApprovalService =>
    createApprovals({
      database: test.database,
      store: approvalStore,
      ledger: test.ledger,
      registry: { current: () => registry.current },
      waiting: {
        async end(transaction, actionId, { state, reason, actor }) {
          await transaction.query("UPDATE test_action SET state = $2, reason = $3, actor = $4 WHERE id = $1 AND state IS NULL", [
            actionId,
            state,
            reason,
            actor,
          ]);
        },
      },
      outcomes: { outcomes: async () => new Map() },
      payloads: test.ledger,
      publicUrl: new URL("http://localhost:4680"),
      now: () => new Date(clock.now),
      newId,
    });
  const approvals = another();
  return {
    ...test,
    approvals,
    another,
    registry,
    clock,
    async ask({
      arguments: given = { to: "kim@example.com", body: "Hello" },
      teams = [{ team: "support-lead", gates: ["mail.ask"] }],
      request = {},
    } = {}) {
      const actionId = request.actionId ?? newId("action");
      return test.database.transaction(async (transaction) => {
        await transaction.query("INSERT INTO test_action (id) VALUES ($1)", [actionId]);
        const argumentsEntry = newId("entry");
        const at = new Date(clock.now);
        const payloads = [{ name: "arguments", subject: "agent:support-agent", value: given }];
        await test.ledger.append(transaction, [
          { id: argumentsEntry, type: "action-waiting", at: at.toISOString(), actor: "agent:support-agent", actionId, data: {}, payloads },
        ]);
        const open = await approvals.request(transaction, {
          actionId,
          digest: testDigest,
          tool: "helpdesk__send_email",
          effect: "write",
          reversibility: "none",
          environment: "staging",
          agent: "support-agent",
          accountable: "ada",
          runId: null,
          subject: "Ticket 1042: refund for a broken kettle",
          argumentsEntry,
          reason: "Mail to a customer is looked at first.",
          approvals: teams,
          requestedAt: at,
          ...request,
        });
        return { ...open, actionId };
      });
    },
    async ended(actionId) {
      const [row] = await test.database.query<{ state: string; reason: string; actor: string }>(
        "SELECT state, reason, actor FROM test_action WHERE id = $1 AND state IS NOT NULL",
        [actionId],
      );
      return row ?? null;
    },
    async entries(id) {
      // By place in the table: ids of one millisecond have no order among them.
      const rows = await test.database.query<{ type: EntryType; actor: string; body: Buffer }>(
        "SELECT type, actor, body FROM ledger_entry WHERE approval_id = $1 ORDER BY ctid",
        [id],
      );
      return rows.map(({ type, actor, body }) => ({ type, actor, data: (JSON.parse(body.toString()) as { data: JsonObject }).data }));
    },
    person: (party, more = {}) => ({
      party,
      roles: registry.current.parties.get(party)?.roles ?? [],
      sessionId: newId("session"),
      linkedBy: "service:machine",
      ...more,
    }),
  };
}

/** The vote that a form or command sends after showing a view. */
export function voteOn(view: Pick<ApprovalView, "digest">, vote: "approve" | "deny", comment?: string) {
  return { vote, digest: view.digest, ...(comment !== undefined && { comment }) };
}
