import { randomUUID } from "node:crypto";
import type { Database } from "../database/database.ts";
import { remitInfo } from "../mcp/mcp-protocol.ts";
import type { ServerInstance } from "./server-instance.ts";

const beatEveryMs = 1_000;

/** Shorter than others wait before they give up what this one has in flight: a lost answer costs one beat, not all. */
const answerWithinMs = 1_500;

/** What a server that was killed has left is kept for so long, for whoever looks into it. */
const forgetSql = "DELETE FROM server_instance WHERE heartbeat_at < clock_timestamp() - interval '1 day'";

/**
 * Says that this server is alive, so that what it has in flight is not given up as lost. The database's clock is the one that
 * counts: clocks of servers differ and jump.
 */
export async function startServerInstance(options: {
  database: Database;
  name?: string;
  /** The newest migration that it knows. */
  schema?: number;
  onError: (error: unknown) => void;
}): Promise<ServerInstance> {
  const { database, name = "a server", schema = null, onError } = options;
  const id = randomUUID();
  let stopped = false;
  let epoch: number | null = null;
  let isDraining = false;
  let beating: Promise<void> = Promise.resolve();

  async function beat(): Promise<void> {
    await database.query({ name: "instance-beat", text: beatSql, timeoutMs: answerWithinMs }, [
      id,
      name,
      remitInfo.version,
      schema,
      epoch,
      isDraining,
    ]);
  }

  await database.query(forgetSql);
  await beat();
  const timer = setInterval(() => {
    if (!stopped) beating = beat().catch(onError);
  }, beatEveryMs);
  return {
    id,
    name,
    async applied(number) {
      if (epoch === number || stopped) return;
      epoch = number;
      await beat();
    },
    async drain() {
      isDraining = true;
      await beat();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await beating;
      await database.query("DELETE FROM server_instance WHERE id = $1", [id]).catch(onError);
    },
  };
}

const beatSql = `
  INSERT INTO server_instance (id, name, version, schema, control_epoch, draining) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp(), control_epoch = excluded.control_epoch, draining = excluded.draining`;
