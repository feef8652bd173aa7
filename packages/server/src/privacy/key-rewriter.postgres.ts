import { setTimeout as sleep } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import type { KeyRewriter } from "./key-rewriter.ts";

/**
 * Rewrites the tables that keys were deleted from. A deleted row's bytes stay in its page, also after an ordinary vacuum, which frees the place
 * and overwrites nothing; only a table that is written anew is without them. It takes the owner of the schema.
 */
export function createKeyRewriter(options: {
  ownerUrl: string;
  /** The cluster is ours alone: its write-ahead log is driven past the keys too. Elsewhere that is its owner's to arrange. */
  ownsCluster: boolean;
  onError: (error: unknown) => void;
}): KeyRewriter {
  let last: Promise<unknown> = Promise.resolve();

  async function rewriteAll(): Promise<boolean> {
    const client = new Client({
      connectionString: options.ownerUrl,
      application_name: "remit rewrite of keys",
      connectionTimeoutMillis: 10_000,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      // Whoever needs a key waits behind this: better to come again than to hold everybody up behind a long transaction.
      await client.query("SET lock_timeout = '3s'");
      const { rows } = await client.query<{ relation: string; since: string }>(
        "SELECT relation, since::text FROM key_rewrite ORDER BY relation",
      );
      if (rows.length === 0) return true;
      for (const { relation } of rows) await rewriteOne(client, relation);
      if (options.ownsCluster) await passLog(client);
      // The files of before go with a checkpoint; where the owner may not ask for one, PostgreSQL makes one by itself within minutes.
      else await client.query("CHECKPOINT").catch(() => undefined);
      for (const { relation, since } of rows) {
        // One that had more deleted meanwhile stays on the list.
        await client.query("DELETE FROM key_rewrite WHERE relation = $1 AND since = $2::timestamptz", [relation, since]);
      }
      return true;
    } catch (error) {
      options.onError(error);
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  return {
    rewrite() {
      // Not together with one that runs: it may have read the list before the caller's keys were on it.
      const next = last.then(rewriteAll);
      last = next.catch(() => undefined);
      return next;
    },
  };
}

/** Somebody who reads the table for longer than we wait is waited for again, with everybody else let through in between. */
async function rewriteOne(client: Client, relation: string): Promise<void> {
  for (let left = 4; ; left -= 1) {
    try {
      await client.query(`VACUUM (FULL) ${client.escapeIdentifier(relation)}`);
      return;
    } catch (error) {
      if (left === 0 || !(error instanceof DatabaseError) || error.code !== "55P03") throw error;
      await sleep(100);
    }
  }
}

/**
 * Leaves no segment of the write-ahead log that still holds what was written before now. PostgreSQL renames old segments to be used again, with
 * all that is in them: those are written over, one switch each, and none is kept for a while.
 */
async function passLog(client: Client): Promise<void> {
  const setting = async (): Promise<string> => (await client.query<{ wal_recycle: string }>("SHOW wal_recycle")).rows[0]?.wal_recycle ?? "";
  const before = await setting();
  await client.query("ALTER SYSTEM SET wal_recycle = off");
  try {
    await client.query("SELECT pg_reload_conf()");
    for (let left = 100; left > 0 && (await setting()) !== "off"; left -= 1) await sleep(50);
    const { rows } = await client.query<{ ahead: string }>(
      "SELECT count(*) AS ahead FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' AND name > pg_walfile_name(pg_current_wal_insert_lsn())",
    );
    for (let left = Number(rows[0]?.ahead ?? 0) + 1; left > 0; left -= 1) {
      await client.query("SELECT pg_logical_emit_message(false, 'remit', '')");
      await client.query("SELECT pg_switch_wal()");
    }
    // The first may still be one that began under the setting of before.
    await client.query("CHECKPOINT");
    await client.query("CHECKPOINT");
  } finally {
    if (before !== "off") {
      await client.query("ALTER SYSTEM RESET wal_recycle");
      await client.query("SELECT pg_reload_conf()");
    }
  }
}
