import type { McpServer } from "@modelcontextprotocol/server";
import type { Pool } from "pg";
import { z } from "zod";
import { answer, answering, HelpdeskError } from "./answer.ts";
import { citationSchema } from "./knowledge.tools.ts";
import { priorities, queues, ticketIdPattern } from "./seed.ts";

export const ticketIdSchema = z.string().regex(ticketIdPattern).describe("For example BIL-1001");
const queueSchema = z.enum(queues);
const prioritySchema = z.enum(priorities);

const summarySchema = z.object({
  ticketId: z.string(),
  queue: queueSchema,
  subject: z.string(),
  status: z.string(),
  priority: prioritySchema,
  customerName: z.string(),
  createdAt: z.string(),
});

const ticketSchema = z.object({
  ticketId: z.string(),
  queue: queueSchema,
  subject: z.string(),
  status: z.string(),
  priority: prioritySchema,
  assignee: z.string().nullable(),
  channel: z.string(),
  language: z.string(),
  createdAt: z.string(),
  customer: z.object({
    id: z.string(),
    name: z.string(),
    email: z.string(),
    company: z.string().nullable(),
    phone: z.string().nullable(),
    address: z.string().nullable(),
    plan: z.string(),
    paymentMethod: z.string().nullable(),
  }),
  messages: z.array(z.object({ from: z.string(), sentAt: z.string(), body: z.string() })),
});

export function registerTicketTools(server: McpServer, pool: Pool): void {
  server.registerTool(
    "tickets.search",
    {
      description: "Finds tickets by queue, status, customer or words in the subject and the messages. Newest first.",
      inputSchema: z.strictObject({
        queue: queueSchema.optional(),
        status: z.enum(["open", "pending", "closed"]).optional(),
        customer: z.string().min(1).max(120).optional().describe("Part of the customer's name, company or address"),
        text: z.string().min(1).max(200).optional(),
        limit: z.int().min(1).max(50).optional().describe("Default 10"),
      }),
      outputSchema: z.object({ tickets: z.array(summarySchema), total: z.int() }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (input) =>
      answering(async () => {
        const found = await pool.query<{ summary: z.infer<typeof summarySchema>; total: number }>(
          `SELECT json_build_object('ticketId', ticket.id, 'queue', queue, 'subject', subject, 'status', status, 'priority', priority,
                    'customerName', customer.name, 'createdAt', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) AS summary,
                  count(*) OVER ()::int AS total
           FROM ticket JOIN customer ON customer.id = ticket.customer_id
           WHERE ($1::text IS NULL OR queue = $1)
             AND ($2::text IS NULL OR status = $2)
             AND ($3::text IS NULL OR strpos(lower(concat_ws(' ', customer.name, company, email)), lower($3)) > 0)
             AND ($4::text IS NULL OR strpos(lower(subject), lower($4)) > 0
                  OR EXISTS (SELECT FROM message WHERE ticket_id = ticket.id AND strpos(lower(body), lower($4)) > 0))
           ORDER BY created_at DESC, ticket.id LIMIT $5`,
          [input.queue ?? null, input.status ?? null, input.customer ?? null, input.text ?? null, input.limit ?? 10],
        );
        const tickets = found.rows.map((row) => row.summary);
        const total = found.rows[0]?.total ?? 0;
        // Personal fields are in the structured half alone, where a policy can take them out by their pointers.
        return answer(
          { tickets, total },
          tickets.map((ticket) => `${ticket.ticketId} [${ticket.priority}] ${ticket.subject}`).join("\n") || "No ticket matches.",
        );
      }),
  );

  server.registerTool(
    "tickets.read",
    {
      description: "One ticket with its whole thread and its customer.",
      inputSchema: z.strictObject({ ticketId: ticketIdSchema }),
      outputSchema: ticketSchema,
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ ticketId }) =>
      answering(async () => {
        const ticket = await readTicket(pool, ticketId);
        const thread = ticket.messages.map((message) => `${message.from}, ${message.sentAt}:\n${message.body}`);
        return answer(ticket, [`${ticket.ticketId}: ${ticket.subject}`, ...thread].join("\n\n"));
      }),
  );

  server.registerTool(
    "tickets.draft_reply",
    {
      description: "Stores a reply that a person will look at before it is sent. Name the knowledge-base articles that it rests on.",
      inputSchema: z.strictObject({
        ticketId: ticketIdSchema,
        body: z.string().min(1).max(10_000),
        articleIds: z.array(z.string().regex(/^KB-\d{3}$/)).max(10),
      }),
      outputSchema: z.object({ draftId: z.string(), ticketId: z.string(), citations: z.array(citationSchema) }),
      annotations: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
    },
    ({ ticketId, body, articleIds }) =>
      answering(async () => {
        await requireTicket(pool, ticketId);
        const articles = await pool.query<z.infer<typeof citationSchema>>(
          `SELECT id AS "articleId", title, url, left(body, 160) AS quote FROM kb_article WHERE id = ANY($1) ORDER BY id`,
          [articleIds],
        );
        const unknown = articleIds.filter((id) => !articles.rows.some((article) => article.articleId === id));
        if (unknown.length > 0) throw new HelpdeskError(`There is no article ${unknown.join(", ")}. Use ids that kb.search returned.`);
        const draft = await pool.query<{ id: string }>(
          "INSERT INTO draft (ticket_id, body, citations) VALUES ($1, $2, $3) RETURNING id::text",
          [ticketId, body, JSON.stringify(articles.rows)],
        );
        const draftId = `DRF-${draft.rows[0]?.id}`;
        return answer(
          { draftId, ticketId, citations: articles.rows },
          `Draft ${draftId} is stored with ${ticketId}. Nothing has been sent.`,
        );
      }),
  );

  server.registerTool(
    "tickets.set_priority",
    {
      description: "Sets how urgent a ticket is.",
      inputSchema: z.strictObject({ ticketId: ticketIdSchema, priority: prioritySchema, reason: z.string().min(1).max(300) }),
      outputSchema: z.object({ ticketId: z.string(), before: prioritySchema, after: prioritySchema }),
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    },
    ({ ticketId, priority, reason }) =>
      answering(async () => {
        const before = await change(pool, ticketId, "priority", priority, reason);
        return answer({ ticketId, before, after: priority }, `${ticketId}: priority ${String(before)} → ${priority}.`);
      }),
  );

  server.registerTool(
    "tickets.assign",
    {
      description: "Hands a ticket to another queue.",
      inputSchema: z.strictObject({ ticketId: ticketIdSchema, queue: queueSchema, note: z.string().min(1).max(500) }),
      outputSchema: z.object({ ticketId: z.string(), before: queueSchema, after: queueSchema }),
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    },
    ({ ticketId, queue, note }) =>
      answering(async () => {
        const before = await change(pool, ticketId, "queue", queue, note);
        return answer({ ticketId, before, after: queue }, `${ticketId}: ${String(before)} → ${queue}.`);
      }),
  );
}

/** @throws HelpdeskError when there is no such ticket. */
export async function requireTicket(pool: Pool, ticketId: string): Promise<void> {
  const found = await pool.query("SELECT FROM ticket WHERE id = $1", [ticketId]);
  if (found.rowCount === 0) throw new HelpdeskError(`There is no ticket ${ticketId}. tickets.search finds those that there are.`);
}

async function readTicket(pool: Pool, ticketId: string): Promise<z.infer<typeof ticketSchema>> {
  await requireTicket(pool, ticketId);
  const found = await pool.query<{ ticket: z.infer<typeof ticketSchema> }>(
    `SELECT json_build_object(
       'ticketId', ticket.id, 'queue', queue, 'subject', subject, 'status', status, 'priority', priority, 'assignee', assignee,
       'channel', channel, 'language', language, 'createdAt', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       'customer', json_build_object('id', customer.id, 'name', name, 'email', email, 'company', company, 'phone', phone,
                                     'address', address, 'plan', plan, 'paymentMethod', payment_method),
       'messages', (SELECT json_agg(json_build_object('from', author, 'sentAt', to_char(sent_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                                                      'body', body) ORDER BY position) FROM message WHERE ticket_id = ticket.id)) AS ticket
     FROM ticket JOIN customer ON customer.id = ticket.customer_id WHERE ticket.id = $1`,
    [ticketId],
  );
  return ticketSchema.parse(found.rows[0]?.ticket);
}

async function change(pool: Pool, ticketId: string, field: "priority" | "queue", after: string, note: string): Promise<unknown> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const found = await client.query<{ before: string }>(`SELECT ${field} AS before FROM ticket WHERE id = $1 FOR UPDATE`, [ticketId]);
    const before = found.rows[0]?.before;
    if (before === undefined) throw new HelpdeskError(`There is no ticket ${ticketId}. tickets.search finds those that there are.`);
    if (before !== after) {
      await client.query(`UPDATE ticket SET ${field} = $2 WHERE id = $1`, [ticketId, after]);
      await client.query("INSERT INTO change (ticket_id, field, before, after, note) VALUES ($1, $2, $3, $4, $5)", [
        ticketId,
        field,
        before,
        after,
        note,
      ]);
    }
    await client.query("COMMIT");
    return before;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}
