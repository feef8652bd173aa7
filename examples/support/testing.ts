import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import type { CallToolResult } from "@modelcontextprotocol/client";
import { openTestDatabase } from "@remit/server/testing";
import type { Pool, QueryResultRow } from "pg";
import { openHelpdeskDatabase } from "./helpdesk/database.ts";
import { smtpMailer } from "./helpdesk/mail.tools.ts";
import { createHelpdeskServer } from "./helpdesk/server.ts";
import { startSupportWorld } from "./setup.ts";
import type { SupportWorld } from "./setup.ts";

export type TestWorld = SupportWorld &
  AsyncDisposable & {
    /** Asks the helpdesk's database. */
    rows(sql: string): Promise<QueryResultRow[]>;
    /** Calls a tool of a helpdesk in this process. */
    helpdesk(tool: string, input: Record<string, unknown>): Promise<CallToolResult>;
  };

/** The whole world of the example with a database of the test's own, on a real PostgreSQL. */
export async function startTestWorld(): Promise<TestWorld> {
  const server = await openTestDatabase();
  const dir = await mkdtemp(join(tmpdir(), "support-"));
  const databaseName = `helpdesk_test_${randomBytes(6).toString("hex")}`;
  const world = await startSupportWorld({ databaseAdminUrl: server.url, dir, databaseName });
  let opened: Promise<{ pool: Pool; client: Client }> | undefined;
  const open = () => (opened ??= openHelpdesk(world.env));
  return {
    ...world,
    rows: async (sql) => (await (await open()).pool.query<QueryResultRow>(sql)).rows,
    helpdesk: async (name, input) => (await open()).client.callTool({ name, arguments: input }),
    async [Symbol.asyncDispose]() {
      const helpdesk = await opened?.catch(() => undefined);
      await helpdesk?.client.close();
      await helpdesk?.pool.end();
      await world.stop();
      await server.superuser.query(`DROP DATABASE ${databaseName} WITH (FORCE)`);
      await server.superuser.query(`DROP ROLE ${databaseName}`);
      await server[Symbol.asyncDispose]();
      await rm(dir, { recursive: true });
    },
  };
}

async function openHelpdesk(env: SupportWorld["env"]): Promise<{ pool: Pool; client: Client }> {
  const pool = await openHelpdeskDatabase(env.HELPDESK_DATABASE_URL);
  const [near, far] = InMemoryTransport.createLinkedPair();
  await createHelpdeskServer(pool, smtpMailer(env.HELPDESK_SMTP_URL)).connect(far);
  const client = new Client({ name: "test", version: "1" });
  await client.connect(near);
  return { pool, client };
}
