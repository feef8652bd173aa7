import { readFile } from "node:fs/promises";
import pg from "pg";
import { queueOf, readSeed } from "./seed.ts";
import type { Seed } from "./seed.ts";

// One lock for everybody who might create the schema of this database at the same moment.
const schemaLock = 7_203_411;

/** Opens the helpdesk's own database; at the first start, makes its tables and loads the written tickets. */
export async function openHelpdeskDatabase(url: string): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: url, max: 8, application_name: "helpdesk" });
  // A broken idle connection is replaced by the pool; without a listener it would end the process.
  pool.on("error", (error) => console.error(`helpdesk: database connection lost: ${error.message}`));
  try {
    await prepare(pool);
    return pool;
  } catch (error) {
    await pool.end();
    throw error;
  }
}

async function prepare(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock($1)", [schemaLock]);
    const present = await client.query<{ present: boolean }>("SELECT to_regclass('loaded') IS NOT NULL AS present");
    if (present.rows[0]?.present !== true) {
      await client.query(await readFile(new URL("schema.sql", import.meta.url), "utf8"));
      await load(client, await readSeed());
      await client.query("INSERT INTO loaded DEFAULT VALUES");
    }
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

async function load(client: pg.PoolClient, seed: Seed): Promise<void> {
  await client.query(
    `INSERT INTO customer (id, name, email, company, phone, address, plan, payment_method)
     SELECT id, name, email, company, phone, address, plan, "paymentMethod"
     FROM json_to_recordset($1) AS row(id text, name text, email text, company text, phone text, address text, plan text, "paymentMethod" text)`,
    [JSON.stringify(seed.customers)],
  );
  await client.query(
    `INSERT INTO ticket (id, queue, subject, priority, customer_id, channel, language, created_at)
     SELECT id, queue, subject, priority, customer, channel, language, "createdAt"
     FROM json_to_recordset($1) AS row(id text, queue text, subject text, priority text, customer text, channel text, language text, "createdAt" timestamptz)`,
    [JSON.stringify(seed.tickets.map((ticket) => ({ ...ticket, queue: queueOf(ticket.id) })))],
  );
  const messages = seed.tickets.flatMap((ticket) =>
    ticket.messages.map((message, position) => ({
      ticketId: ticket.id,
      position,
      author: message.from,
      sentAt: message.sentAt ?? new Date(Date.parse(ticket.createdAt) + position * 5_400_000).toISOString(),
      body: message.body.trimEnd(),
    })),
  );
  await client.query(
    `INSERT INTO message (ticket_id, position, author, sent_at, body)
     SELECT "ticketId", position, author, "sentAt", body
     FROM json_to_recordset($1) AS row("ticketId" text, position integer, author text, "sentAt" timestamptz, body text)`,
    [JSON.stringify(messages)],
  );
  await client.query(
    `INSERT INTO kb_article (id, title, url, keywords, body)
     SELECT id, title, 'https://help.northwind.example/articles/' || lower(id), keywords, body
     FROM json_to_recordset($1) AS row(id text, title text, keywords text, body text)`,
    [JSON.stringify(seed.articles)],
  );
}
