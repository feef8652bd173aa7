import { randomUUID } from "node:crypto";
import type { Database } from "../database/database.ts";

/** This server among those that share the database. */
export type ServerInstance = { id: string; stop(): Promise<void> };

const beatEveryMs = 1_000;

/**
 * Says that this server is alive, so that what it has in flight is not given up as lost. The database's clock is the one that
 * counts: clocks of servers differ and jump.
 */
export async function startServerInstance(options: { database: Database; onError: (error: unknown) => void }): Promise<ServerInstance> {
  const id = randomUUID();
  let stopped = false;
  let beating: Promise<void> = Promise.resolve();

  async function beat(): Promise<void> {
    await options.database.query(
      "INSERT INTO server_instance (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp()",
      [id],
    );
  }

  await beat();
  const timer = setInterval(() => {
    if (!stopped) beating = beat().catch(options.onError);
  }, beatEveryMs);
  return {
    id,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await beating;
      await options.database.query("DELETE FROM server_instance WHERE id = $1", [id]).catch(options.onError);
    },
  };
}
