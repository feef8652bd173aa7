import type { Queryable } from "../database/database.ts";
import type { AnchorState, AnchorStore, CosignedCheckpoint } from "./anchor.store.ts";

type StateRow = { place: string; size: string; failures: number; problem: string | null; is_split: boolean; sent_at: Date | null };
type LineRow = { size: string; vkey: string; timestamp: string; line: string };

export function createAnchorStore(database: Queryable): AnchorStore {
  return {
    async cosignatures(size) {
      const rows = await database.query<LineRow>(
        "SELECT DISTINCT ON (vkey) size, vkey, timestamp, line FROM ledger_cosignature WHERE size = $1 ORDER BY vkey, timestamp DESC",
        [size],
      );
      return rows.map(lineOf);
    },
    async cosigned(limit) {
      const rows = await database.query<LineRow & { note: string | null; at: Date | null }>(
        `SELECT n.size, n.vkey, n.timestamp, n.line, c.note, c.at
         FROM (SELECT DISTINCT size FROM ledger_cosignature ORDER BY size DESC LIMIT $1) s
         JOIN LATERAL (
           SELECT DISTINCT ON (vkey) * FROM ledger_cosignature WHERE size = s.size ORDER BY vkey, timestamp DESC
         ) n ON true
         LEFT JOIN ledger_checkpoint c ON c.size = s.size
         ORDER BY s.size DESC, n.vkey`,
        [limit],
      );
      const found = new Map<string, CosignedCheckpoint>();
      for (const row of rows) {
        const checkpoint = found.get(row.size) ?? { size: Number(row.size), note: row.note ?? "", at: row.at ?? new Date(0), lines: [] };
        checkpoint.lines.push(lineOf(row));
        found.set(row.size, checkpoint);
      }
      return [...found.values()];
    },
    async addCosignatures(lines) {
      await database.query(
        `INSERT INTO ledger_cosignature (size, vkey, timestamp, line)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[]) ON CONFLICT DO NOTHING`,
        [
          lines.map(({ size }) => size),
          lines.map(({ vkey }) => vkey),
          lines.map(({ timestamp }) => timestamp),
          lines.map(({ line }) => line),
        ],
      );
    },
    async claim(place, leaseMs) {
      await database.query("INSERT INTO ledger_anchor (place) VALUES ($1) ON CONFLICT DO NOTHING", [place]);
      const [row] = await database.query<StateRow>(
        `UPDATE ledger_anchor SET claimed_until = clock_timestamp() + $2 * interval '1 ms'
         WHERE place = $1 AND next_at <= clock_timestamp() AND claimed_until <= clock_timestamp()
         RETURNING place, size, failures, problem, is_split, sent_at`,
        [place, leaseMs],
      );
      return row === undefined ? null : stateOf(row);
    },
    async settle({ place, size, failures, problem, isSplit, sentAt }, nextInMs) {
      await database.query(
        `UPDATE ledger_anchor SET size = $2, failures = $3, problem = $4, is_split = is_split OR $5, sent_at = $6,
           next_at = clock_timestamp() + $7 * interval '1 ms', claimed_until = '-infinity' WHERE place = $1`,
        [place, size, failures, problem, isSplit, sentAt, nextInMs],
      );
    },
    async states() {
      const rows = await database.query<StateRow>(
        "SELECT place, size, failures, problem, is_split, sent_at FROM ledger_anchor ORDER BY place",
      );
      return rows.map(stateOf);
    },
    async splitViews(limit) {
      const rows = await database.query<{ digest: string; seen_at: string; what: string; ours: string; theirs: string; at: Date }>(
        "SELECT digest, seen_at, what, ours, theirs, at FROM ledger_split_view ORDER BY at LIMIT $1",
        [limit],
      );
      return rows.map(({ seen_at: seenAt, ...view }) => ({ seenAt, ...view }));
    },
    async addSplitView(transaction, { digest, seenAt, what, ours, theirs }) {
      const rows = await transaction.query(
        "INSERT INTO ledger_split_view (digest, seen_at, what, ours, theirs) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING digest",
        [digest, seenAt, what, ours, theirs],
      );
      return rows.length > 0;
    },
  };
}

function lineOf({ size, vkey, timestamp, line }: LineRow) {
  return { size: Number(size), vkey, timestamp: Number(timestamp), line };
}

function stateOf(row: StateRow): AnchorState {
  const { place, failures, problem } = row;
  return { place, size: Number(row.size), failures, problem, isSplit: row.is_split, sentAt: row.sent_at };
}
