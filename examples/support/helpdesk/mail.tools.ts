import type { McpServer } from "@modelcontextprotocol/server";
import type { Pool } from "pg";
import { z } from "zod";
import { answer, answering, HelpdeskError } from "./answer.ts";
import { requireTicket, ticketIdSchema } from "./ticket.tools.ts";

export type OutgoingMail = { to: string; subject: string; body: string; ticketId: string };

/** Hands a mail to the mail server; returns its Message-ID. */
export type Mailer = (mail: OutgoingMail) => Promise<string>;

export function registerMailTools(server: McpServer, pool: Pool, mailer: Mailer): void {
  server.registerTool(
    "send_email",
    {
      description: "Sends an email to one recipient, from support@northwind.example. It cannot be taken back.",
      inputSchema: z.strictObject({
        ticketId: ticketIdSchema,
        to: z.email().max(200),
        subject: z.string().min(1).max(200),
        body: z.string().min(1).max(20_000).describe("Plain text"),
      }),
      outputSchema: z.object({ emailId: z.string(), ticketId: z.string(), to: z.string(), messageId: z.string() }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    },
    (mail) =>
      answering(async () => {
        await requireTicket(pool, mail.ticketId);
        const row = await pool.query<{ id: string }>(
          "INSERT INTO email (ticket_id, recipient, subject, body) VALUES ($1, $2, $3, $4) RETURNING id::text",
          [mail.ticketId, mail.to, mail.subject, mail.body],
        );
        const id = row.rows[0]?.id;
        try {
          const messageId = await mailer(mail);
          await pool.query("UPDATE email SET state = 'sent', message_id = $2 WHERE id = $1", [id, messageId]);
          return answer({ emailId: `EML-${id}`, ticketId: mail.ticketId, to: mail.to, messageId }, `EML-${id} is sent to ${mail.to}.`);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          await pool.query("UPDATE email SET state = 'failed', error = $2 WHERE id = $1", [id, reason]);
          throw new HelpdeskError(`The mail server did not take the mail to ${mail.to}: ${reason}. It is recorded as failed (EML-${id}).`);
        }
      }),
  );
}

/** Delivers through the SMTP server at `url`. */
export function smtpMailer(url: string): Mailer {
  return async (mail) => {
    // Most runs of the helpdesk send nothing; the library is loaded by the first mail.
    const { createTransport } = await import("nodemailer");
    const transport = createTransport(url, { from: "Northwind Support <support@northwind.example>" });
    try {
      const sent = await transport.sendMail({
        to: mail.to,
        subject: mail.subject,
        text: mail.body,
        headers: { "X-Ticket": mail.ticketId },
      });
      return sent.messageId;
    } finally {
      transport.close();
    }
  };
}
