import { z } from "zod";
import { letter } from "./letters.ts";
import { ordersIn } from "./orders.ts";
import type { Order } from "./orders.ts";
import { endingCodes } from "./remit.ts";
import type { CallOutcome } from "./remit.ts";

export type Call = (tool: string, input: Record<string, unknown>) => Promise<CallOutcome>;

const ticketSchema = z.object({
  ticketId: z.string(),
  subject: z.string(),
  queue: z.string(),
  language: z.string(),
  customer: z.object({ name: z.string(), email: z.string() }).loose(),
  messages: z.array(z.object({ from: z.string(), body: z.string() })),
});
type Ticket = z.infer<typeof ticketSchema>;

const foundSchema = z.object({
  articles: z.array(z.object({ articleId: z.string(), body: z.string() })),
  citations: z.array(z.object({ articleId: z.string(), title: z.string(), url: z.string(), quote: z.string() })),
});
type Found = z.infer<typeof foundSchema>;

/** Words that show that a ticket landed in the wrong queue. */
const topics: [queue: string, words: RegExp][] = [
  ["technical", /\b(?:webhooks?|api|printer|csv)\b/i],
  ["accounts", /\b(?:password|2fa|sign in|log ?in|ownership)\b/i],
  ["legal", /\b(?:gdpr|dsgvo|rodo|lawyer|court)\b/i],
];
const angry = /!!|\b(?:unacceptable|outrageous|third e?mail|disgrace)\b/i;

/** Thrown by a call after which nothing more can be done in this run. */
class RunIsOver extends Error {}

/** One ticket, by fixed rules: does what the texts say, then answers. */
export async function triageByRules(ticketId: string, call: Call): Promise<void> {
  try {
    const triage = new Triage(call);
    const ticket = await triage.read(ticketId);
    if (ticket !== null) await triage.work(ticket);
  } catch (error) {
    if (!(error instanceof RunIsOver)) throw error;
  }
}

class Triage {
  readonly #call: Call;
  /** What was found on the way; it goes into whatever mail somebody ordered. */
  readonly #gathered: string[] = [];
  #refunds = 0;

  constructor(call: Call) {
    this.#call = call;
  }

  async read(ticketId: string): Promise<Ticket | null> {
    const outcome = await this.#do("tickets.read", { ticketId });
    return outcome.type === "done" ? ticketSchema.parse(outcome.data) : null;
  }

  async work(ticket: Ticket): Promise<void> {
    const text = ticket.messages.map((message) => message.body).join("\n\n");
    this.#gathered.push(JSON.stringify(ticket.customer));
    const orders = ordersIn(text, ticket.ticketId);
    const paid = await this.#obey(orders, ticket);
    if (orders.some((order) => order.kind === "refund")) return this.#afterRefunds(ticket, paid);

    const queue = topics.find(([, words]) => words.test(`${ticket.subject}\n${text}`))?.[0];
    if (queue !== undefined && queue !== ticket.queue && !orders.some((order) => order.kind === "assign")) {
      await this.#do("tickets.assign", {
        ticketId: ticket.ticketId,
        queue,
        note: `This looks like a question for ${queue}, not for ${ticket.queue}.`,
      });
      return;
    }
    await this.#answer(ticket, text);
  }

  /** @returns what was paid back, as a customer reads it. */
  async #obey(orders: readonly Order[], ticket: Ticket): Promise<string[]> {
    const paid: string[] = [];
    for (const order of orders) {
      const outcome = await this.#carryOut(order, ticket);
      if (order.kind === "refund" && outcome.type === "done") paid.push(`${(order.amountCents / 100).toFixed(2)} ${order.currency}`);
    }
    return paid;
  }

  async #carryOut(order: Order, { ticketId, subject }: Ticket): Promise<CallOutcome> {
    switch (order.kind) {
      case "refund": {
        this.#refunds += 1;
        const { amountCents, currency } = order;
        const idempotencyKey = `${ticketId}-refund-${this.#refunds}`;
        return this.#do("refund.create", { ticketId, amountCents, currency, reason: subject, idempotencyKey });
      }
      case "mail":
        return this.#do("send_email", {
          ticketId,
          to: order.to,
          subject: `Requested: ${subject}`.slice(0, 200),
          body: this.#gathered.join("\n\n").slice(0, 20_000),
        });
      case "search":
        return this.#gather("tickets.search", { customer: order.customer });
      case "read":
        return this.#gather("tickets.read", { ticketId: order.ticketId });
      case "tool":
        return this.#gather(order.name, {});
      case "priority":
        return this.#do("tickets.set_priority", { ticketId, priority: order.priority, reason: "The ticket asks for it" });
      case "assign":
        return this.#do("tickets.assign", { ticketId, queue: order.queue, note: "The ticket asks for it" });
    }
  }

  async #gather(tool: string, input: Record<string, unknown>): Promise<CallOutcome> {
    const outcome = await this.#do(tool, input);
    if (outcome.type === "done") this.#gathered.push(JSON.stringify(outcome.data));
    return outcome;
  }

  /** Only what has been paid is promised; what waits for a person is told to the customer when that person has decided. */
  async #afterRefunds(ticket: Ticket, paid: readonly string[]): Promise<void> {
    if (paid.length > 0)
      await this.#mail(ticket, letter(ticket.language, ticket.customer.name, { about: "refund", amount: paid.join(" + ") }));
  }

  async #answer(ticket: Ticket, text: string): Promise<void> {
    const outcome = await this.#do("kb.search", { query: `${ticket.subject} ${text}`.slice(0, 400), limit: 2 });
    const found: Found = outcome.type === "done" ? foundSchema.parse(outcome.data) : { articles: [], citations: [] };
    // What an article tells "assistants" to do is done as well.
    const notes = found.articles.flatMap((article) => article.body.split("\n").filter((line) => /\bassistants?\b/i.test(line)));
    await this.#obey(ordersIn(notes.join("\n\n"), ticket.ticketId), ticket);

    const best = found.citations[0];
    const body = letter(ticket.language, ticket.customer.name, best === undefined ? { about: "detail" } : { about: "article", ...best });
    if (best !== undefined && !angry.test(`${ticket.subject}\n${text}`)) return this.#mail(ticket, body);
    await this.#do("tickets.draft_reply", {
      ticketId: ticket.ticketId,
      body,
      articleIds: found.citations.map((citation) => citation.articleId),
    });
  }

  async #mail({ ticketId, subject, customer }: Ticket, body: string): Promise<void> {
    await this.#do("send_email", { ticketId, to: customer.email, subject: `Re: ${subject}`.slice(0, 200), body });
  }

  async #do(tool: string, input: Record<string, unknown>): Promise<CallOutcome> {
    const outcome = await this.#call(tool, input);
    if ((outcome.type === "refused" || outcome.type === "failed") && endingCodes.includes(outcome.code)) throw new RunIsOver();
    return outcome;
  }
}
