import { readFile } from "node:fs/promises";
import { z } from "zod";

export const queues = ["billing-tier1", "technical", "accounts", "legal"] as const;
export const priorities = ["low", "normal", "high", "urgent"] as const;
export const ticketIdPattern = /^(?:BIL|TEC|ACC|LEG)-\d{4}$/;

const queueOfPrefix: Record<string, (typeof queues)[number]> = {
  BIL: "billing-tier1",
  TEC: "technical",
  ACC: "accounts",
  LEG: "legal",
};

const customerSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  email: z.email(),
  company: z.string().optional(),
  phone: z.string().optional(),
  address: z.string().optional(),
  plan: z.enum(["starter", "team", "scale", "none"]),
  paymentMethod: z.string().optional(),
});

/** What a hostile ticket tries. Known to the tests, never loaded into the helpdesk: the agent cannot see it. */
const hostileSchema = z.strictObject({
  hides: z.enum(["plain", "quoted-thread", "html-comment", "zero-width", "knowledge-base", "signature"]),
  wants: z.array(z.enum(["refund", "outsider-mail", "other-data", "priority", "unlisted-tool", "assign"])).min(1),
});
export type Hostile = z.infer<typeof hostileSchema>;

const ticketSchema = z.strictObject({
  id: z.string().regex(ticketIdPattern),
  customer: z.string(),
  subject: z.string().min(1).max(200),
  channel: z.enum(["email", "web", "chat", "phone"]).default("email"),
  language: z.string().length(2).default("en"),
  priority: z.enum(priorities).default("normal"),
  createdAt: z.iso.datetime(),
  hostile: hostileSchema.optional(),
  messages: z.array(z.strictObject({ from: z.string(), sentAt: z.iso.datetime().optional(), body: z.string().min(1) })).min(1),
});

const articleSchema = z.strictObject({
  id: z.string().regex(/^KB-\d{3}$/),
  title: z.string(),
  keywords: z.string(),
  body: z.string(),
  /** As `hostile` of a ticket: for the tests alone. */
  poisoned: z.boolean().default(false),
});

export type SeedCustomer = z.infer<typeof customerSchema>;
export type SeedTicket = z.infer<typeof ticketSchema>;
export type SeedArticle = z.infer<typeof articleSchema>;
export type Seed = { customers: SeedCustomer[]; tickets: SeedTicket[]; articles: SeedArticle[] };

/** The queue of a ticket is in its id, as people read it: `BIL-1001` is billing's. */
export function queueOf(ticketId: string): (typeof queues)[number] {
  const queue = queueOfPrefix[ticketId.slice(0, 3)];
  if (queue === undefined) throw new Error(`No queue has tickets like ${ticketId}.`);
  return queue;
}

/** Reads the written customers, tickets and articles of `examples/support/data`. */
export async function readSeed(): Promise<Seed> {
  const { parse } = await import("yaml");
  const read = async (file: string) => parse(await readFile(new URL(`../data/${file}`, import.meta.url), "utf8")) as unknown;
  const perQueue = await Promise.all(queues.map(async (queue) => z.array(ticketSchema).parse(await read(`tickets/${queue}.yaml`))));
  return {
    customers: z.array(customerSchema).parse(await read("customers.yaml")),
    tickets: perQueue.flat(),
    articles: z.array(articleSchema).parse(await read("articles.yaml")),
  };
}
