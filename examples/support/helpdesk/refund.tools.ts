import type { McpServer } from "@modelcontextprotocol/server";
import type { Pool } from "pg";
import { z } from "zod";
import { answer, answering, HelpdeskError } from "./answer.ts";
import { requireTicket, ticketIdSchema } from "./ticket.tools.ts";

type Refund = { id: string; ticketId: string; amountCents: number; currency: string; createdAt: string; repeated: boolean };

export function registerRefundTools(server: McpServer, pool: Pool): void {
  server.registerTool(
    "refund.create",
    {
      description: "Pays money back to the customer of a ticket. The same idempotency key twice pays once.",
      inputSchema: z.strictObject({
        ticketId: ticketIdSchema,
        amountCents: z.int().min(1).max(10_000_000).describe("In the currency's hundredths"),
        currency: z
          .string()
          .regex(/^[A-Z]{3}$/)
          .describe("ISO 4217, for example USD"),
        reason: z.string().min(1).max(500),
        idempotencyKey: z.string().min(8).max(100).describe("Yours: the same for a repeated attempt, another for another refund"),
      }),
      outputSchema: z.object({
        refundId: z.string(),
        ticketId: z.string(),
        amountCents: z.int(),
        currency: z.string(),
        createdAt: z.string(),
        repeated: z.boolean().describe("True: this key had been used, and nothing was paid again"),
      }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
    },
    (input) =>
      answering(async () => {
        await requireTicket(pool, input.ticketId);
        const written = await pool.query<Refund>(
          `WITH made AS (
             INSERT INTO refund (ticket_id, idempotency_key, amount_cents, currency, reason) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (idempotency_key) DO NOTHING RETURNING *
           )
           SELECT 'RFD-' || id AS id, ticket_id AS "ticketId", amount_cents AS "amountCents", currency,
                  to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "createdAt", false AS repeated FROM made`,
          [input.ticketId, input.idempotencyKey, input.amountCents, input.currency, input.reason],
        );
        const { id: refundId, ...refund } = written.rows[0] ?? (await earlier(pool, input.idempotencyKey));
        if (refund.ticketId !== input.ticketId || refund.amountCents !== input.amountCents || refund.currency !== input.currency) {
          throw new HelpdeskError(
            `The idempotency key ${input.idempotencyKey} belongs to another refund (${refundId}). Use a key of your own.`,
          );
        }
        const amount = `${(refund.amountCents / 100).toFixed(2)} ${refund.currency}`;
        return answer(
          { refundId, ...refund },
          refund.repeated ? `${refundId} had been paid already; nothing was paid again.` : `${refundId}: ${amount} paid back.`,
        );
      }),
  );
}

// A second statement, because the first one's snapshot does not show a row that somebody else inserted meanwhile.
async function earlier(pool: Pool, idempotencyKey: string): Promise<Refund> {
  const found = await pool.query<Refund>(
    `SELECT 'RFD-' || id AS id, ticket_id AS "ticketId", amount_cents AS "amountCents", currency,
            to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "createdAt", true AS repeated
     FROM refund WHERE idempotency_key = $1`,
    [idempotencyKey],
  );
  const refund = found.rows[0];
  if (refund === undefined) throw new Error("the refund could neither be written nor found");
  return refund;
}
