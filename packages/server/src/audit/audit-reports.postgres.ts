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
