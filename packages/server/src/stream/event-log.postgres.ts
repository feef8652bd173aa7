import { ledgerEventSchema, RemitError } from "@remit/contract";
import type { EventFilter, StreamedEvent } from "@remit/contract";
import { streamedEvent } from "@remit/core";
import type { Queryable } from "../database/database.ts";
import type { EventLog } from "./event-log.ts";

type Row = { seq: string; id: string; body: Buffer; run_id: string | null; agent: string | null };

/** So many entries are looked at by one statement. */
const windowSize = 1_000;

export function createEventLog(database: Queryable): EventLog {
  async function size(): Promise<number> {
    const [row] = await database.query<{ size: string }>({
      name: "stream-size",
      text: "SELECT coalesce(max(size), 0) AS size FROM ledger_checkpoint",
    });
    return Number(row?.size ?? 0);
  }

  async function rows(order: "ASC" | "DESC", from: number, to: number, filter: EventFilter, limit: number): Promise<StreamedEvent[]> {
    const found = await database.query<Row>({ name: `stream-read-${order}`, text: readSql(order) }, [
      from,
      to,
      filter.types,
      filter.run,
      filter.agent,
      limit,
    ]);
    return found.map(eventOf);
  }

  return {
    size,
    async read(from, filter, limit) {
      const to = Math.min(await size(), from + windowSize);
      if (to <= from) return { events: [], next: from };
      const events = await rows("ASC", from, to, filter, limit);
      const last = events.at(-1);
      return { events, next: events.length === limit && last !== undefined ? Number(last.sequence) + 1 : to };
    },
    async newest(filter, limit) {
      const end = await size();
      const events: StreamedEvent[] = [];
      // From the end back, window by window, and not through all of a large ledger for what may not be in it.
      for (let to = end, windows = 0; to > 0 && events.length < limit && windows < 20; to -= windowSize, windows += 1) {
        events.push(...(await rows("DESC", Math.max(0, to - windowSize), to, filter, limit - events.length)));
      }
      return { events: events.reverse(), next: end };
    },
  };
}

/** A person's vote names the action, not its run and its agent: those follow from the action's other entries. */
function readSql(order: "ASC" | "DESC"): string {
  return `
SELECT l.seq, e.id, e.body, coalesce(e.run_id, a.run_id) AS run_id, coalesce(e.agent, a.agent) AS agent
FROM ledger_leaf l
JOIN ledger_entry e ON e.id = l.entry_id
LEFT JOIN LATERAL (
  SELECT max(o.run_id) AS run_id, max(o.agent) AS agent FROM ledger_entry o WHERE o.action_id = e.action_id
) a ON e.action_id IS NOT NULL AND (e.run_id IS NULL OR e.agent IS NULL)
WHERE l.seq >= $1 AND l.seq < $2
  AND ($3::text[] IS NULL OR e.type = ANY ($3))
  AND ($4::text IS NULL OR coalesce(e.run_id, a.run_id) = $4)
  AND ($5::text IS NULL OR coalesce(e.agent, a.agent) = $5)
ORDER BY l.seq ${order} LIMIT $6`;
}

function eventOf({ seq, id, body, run_id: runId, agent }: Row): StreamedEvent {
  try {
    return streamedEvent(ledgerEventSchema.parse(JSON.parse(body.toString())), { seq: Number(seq), runId, agent });
  } catch (error) {
    throw new RemitError("ledger-unavailable", `The body of ${id} is not an event any more: it was changed. Run: remit audit verify`, {
      cause: error,
    });
  }
}
