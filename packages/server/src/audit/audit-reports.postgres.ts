import { ledgerEventSchema, terminalEntryTypes } from "@remit/contract";
import type { Queryable } from "../database/database.ts";
import type { AuditReportsStore, SequencedEvent } from "./audit-reports.store.ts";

type Row = { seq: string; body: Buffer };

export function createAuditReportsStore(database: Queryable): AuditReportsStore {
  return {
    async endsOf(actionIds) {
      const rows = await database.query<Row>(
        `SELECT l.seq, e.body FROM ledger_entry e JOIN ledger_leaf l ON l.entry_id = e.id
         WHERE e.action_id = ANY ($1::text[]) AND e.type = ANY ($2::text[]) ORDER BY l.seq`,
        [actionIds, terminalEntryTypes],
      );
      return new Map(rows.map(eventOf).map((event) => [event.event.actionid ?? "", event]));
    },
    async following(runId, seq, limit) {
      const rows = await database.query<Row>(
        `SELECT l.seq, e.body FROM ledger_entry e JOIN ledger_leaf l ON l.entry_id = e.id
         WHERE e.run_id = $1 AND e.type = 'action-intended' AND l.seq > $2 ORDER BY l.seq LIMIT $3`,
        [runId, seq, limit],
      );
      return rows.map(eventOf);
    },
    async usedSince(since) {
      return await database.query<{ agent: string; tool: string }>(
        `SELECT DISTINCT agent, tool FROM ledger_entry
         WHERE type = 'action-intended' AND at >= $1 AND agent IS NOT NULL AND tool IS NOT NULL`,
        [since],
      );
    },
    async begins() {
      const [first] = await database.query<{ at: Date }>(
        "SELECT e.at FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id ORDER BY l.seq LIMIT 1",
      );
      return first?.at ?? null;
    },
    async countBetween(types, from, to) {
      const rows = await database.query<{ type: string; count: number }>(
        `SELECT e.type, count(*)::int AS count FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id
         WHERE e.type = ANY ($1::text[]) AND l.seq > $2 AND ($3::bigint IS NULL OR l.seq < $3) GROUP BY e.type`,
        [types, from, to],
      );
      return Object.fromEntries(rows.map(({ type, count }) => [type, count]));
    },
    async aboutApprovals(approvalIds) {
      const rows = await database.query<Row>(
        `SELECT l.seq, e.body FROM ledger_entry e JOIN ledger_leaf l ON l.entry_id = e.id
         WHERE e.approval_id = ANY ($1::text[]) ORDER BY l.seq`,
        [approvalIds],
      );
      return rows.map(eventOf);
    },
  };
}

function eventOf({ seq, body }: Row): SequencedEvent {
  return { seq: Number(seq), event: ledgerEventSchema.parse(JSON.parse(body.toString())) };
}
