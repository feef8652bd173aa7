import { Client } from "pg";
import type { KeyRewriter } from "./key-rewriter.ts";

/**
 * Rewrites the tables that keys were deleted from. A deleted row's bytes stay in its page, also after an ordinary vacuum, which frees the place
 * and overwrites nothing; only a table that is written anew is without them. It takes the owner of the schema.
 */
export function createKeyRewriter(options: { ownerUrl: string; onError: (error: unknown) => void }): KeyRewriter {
  let running: Promise<boolean> | null = null;

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
      for (const { relation, since } of rows) {
        await client.query(`VACUUM (FULL) ${client.escapeIdentifier(relation)}`);
        // One that had more deleted meanwhile stays on the list.
        await client.query("DELETE FROM key_rewrite WHERE relation = $1 AND since = $2::timestamptz", [relation, since]);
      }
      // The pages of the old files leave the write-ahead log's reach; where the owner may not ask for it, PostgreSQL does it by itself within minutes.
      if (rows.length > 0) await client.query("CHECKPOINT").catch(() => undefined);
      return true;
    } catch (error) {
      options.onError(error);
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  return {
    async rewrite() {
      // One that runs already may have read the list before the caller's keys were on it.
      await running?.catch(() => undefined);
      running ??= rewriteAll().finally(() => {
        running = null;
      });
      return running;
    },
  };
}
