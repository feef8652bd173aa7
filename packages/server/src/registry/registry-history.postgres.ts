import { composeRegistry, partsOf } from "@remit/core";
import type { Queryable } from "../database/database.ts";
import { hashText } from "./registry-hash.ts";
import type { PastRegistry, RegistryHistory } from "./registry-history.ts";
import { loadVersions } from "./registry.postgres.ts";

type Row = { number: string; versions: [string, string, string][]; applied_by: string; applied_at: Date };

export function createRegistryHistory(database: Queryable): RegistryHistory {
  async function open(row: Row | undefined): Promise<PastRegistry | null> {
    if (row === undefined) return null;
    const parts = partsOf(await loadVersions(database, row.versions), hashText);
    const registry = composeRegistry({ ...parts, pins: new Map() }, hashText);
    return { number: Number(row.number), appliedBy: row.applied_by, appliedAt: row.applied_at, registry };
  }

  async function upTo(revision: number | string, count: number): Promise<Row[]> {
    return await database.query<Row>(
      "SELECT number, versions, applied_by, applied_at FROM registry_revision WHERE number <= $1 ORDER BY number DESC LIMIT $2",
      [revision, count],
    );
  }

  return {
    async between(since, until, limit) {
      const rows = await database.query<Row>(
        `SELECT number, versions, applied_by, applied_at FROM registry_revision
         WHERE ($1::timestamptz IS NULL OR applied_at >= $1) AND ($2::timestamptz IS NULL OR applied_at < $2)
         ORDER BY number DESC LIMIT $3`,
        [since, until, limit],
      );
      const oldest = rows.at(-1);
      const [, earlier] = oldest === undefined ? [] : await upTo(oldest.number, 2);
      const applied: PastRegistry[] = [];
      for (const row of rows.toReversed()) {
        const past = await open(row);
        if (past !== null) applied.push(past);
      }
      return { before: await open(earlier), applied };
    },
    async step(revision) {
      const [now, before] = await upTo(revision, 2);
      const isOfThis = now !== undefined && Number(now.number) === revision;
      return { now: isOfThis ? await open(now) : null, before: isOfThis ? await open(before) : null };
    },
  };
}
