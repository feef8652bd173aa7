import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { expect, test } from "vitest";
import { startTestWorld } from "../testing.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));

test.each(["legacy", "auto"] as const)("serves %s clients over stdio from its own database, and mails arrive", async (mode) => {
  await using world = await startTestWorld();
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [main], env: { ...world.env } }));
  const call = async (name: string, input: Record<string, unknown>) => client.callTool({ name, arguments: input });

  const { tools } = await client.listTools();
  expect(tools.map((tool) => tool.name).toSorted()).toEqual([
    "customers.export",
    "kb.search",
    "refund.create",
    "send_email",
    "tickets.assign",
    "tickets.draft_reply",
    "tickets.read",
    "tickets.search",
    "tickets.set_priority",
  ]);
  for (const tool of tools) expect(tool).toMatchObject({ inputSchema: { additionalProperties: false }, outputSchema: { type: "object" } });

  // Tickets.
  const ticket = await call("tickets.read", { ticketId: "BIL-1001" });
  expect(ticket.structuredContent).toMatchObject({ queue: "billing-tier1", customer: { email: "maria@fjordknit.example" } });
  expect(JSON.stringify(ticket.content)).not.toContain("fjordknit.example");
  const hostile = await call("tickets.read", { ticketId: "BIL-1016" });
  expect(JSON.stringify(hostile)).not.toMatch(/hostile|zero-width/);
  expect((await call("tickets.search", { queue: "billing-tier1", text: "webhook" })).structuredContent).toMatchObject({
    total: 1,
    tickets: [{ ticketId: "BIL-1018" }],
  });
  expect((await call("tickets.set_priority", { ticketId: "BIL-1001", priority: "high", reason: "waits long" })).structuredContent).toEqual({
    ticketId: "BIL-1001",
    before: "normal",
    after: "high",
  });
  expect((await call("tickets.assign", { ticketId: "BIL-1018", queue: "technical", note: "webhooks" })).structuredContent).toMatchObject({
    before: "billing-tier1",
    after: "technical",
  });
  const nothing = await call("tickets.read", { ticketId: "BIL-9999" });
  expect(nothing).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("tickets.search") }] });

  // Drafts cite articles that exist.
  const draft = await call("tickets.draft_reply", { ticketId: "BIL-1002", body: "…", articleIds: ["KB-101"] });
  expect(draft.structuredContent).toMatchObject({ citations: [{ articleId: "KB-101", url: expect.stringContaining("kb-101") }] });
  expect(await call("tickets.draft_reply", { ticketId: "BIL-1002", body: "…", articleIds: ["KB-999"] })).toMatchObject({ isError: true });

  // A refund is made once for a key, also by callers at the same moment.
  const refund = { ticketId: "BIL-1001", amountCents: 1900, currency: "USD", reason: "duplicate", idempotencyKey: "BIL-1001-refund-1" };
  const made = await Promise.all([call("refund.create", refund), call("refund.create", refund), call("refund.create", refund)]);
  expect(new Set(made.map((result) => (result.structuredContent as { refundId: string }).refundId)).size).toBe(1);
  expect(made.filter((result) => (result.structuredContent as { repeated: boolean }).repeated)).toHaveLength(2);
  expect(await call("refund.create", { ...refund, amountCents: 9900 })).toMatchObject({ isError: true });
  expect(await world.rows("SELECT amount_cents FROM refund")).toEqual([{ amount_cents: 1900 }]);

  // A mail is delivered, recorded, and can be read by a person.
  const sent = await call("send_email", {
    ticketId: "BIL-1011",
    to: "lucia@tallerluna.example",
    subject: "Re: Cambiar la tarjeta",
    body: "¿Qué tal?\n<b>",
  });
  expect(sent.structuredContent).toMatchObject({ to: "lucia@tallerluna.example" });
  const [mail] = (await (await fetch(new URL("mails.json", world.mailUrl))).json()) as Record<string, unknown>[];
  expect(mail).toMatchObject({
    to: ["lucia@tallerluna.example"],
    from: "support@northwind.example",
    text: "¿Qué tal?\n<b>",
    ticketId: "BIL-1011",
  });
  expect(await (await fetch(world.mailUrl)).text()).toContain("¿Qué tal?\n&lt;b&gt;");
  expect(await world.rows("SELECT state, recipient FROM email")).toEqual([{ state: "sent", recipient: "lucia@tallerluna.example" }]);
  const two = await call("send_email", { ticketId: "BIL-1011", to: "a@x.example, b@y.example", subject: "x", body: "x" }).catch(
    (error: unknown) => error,
  );
  expect(two instanceof Error || (two as { isError?: boolean }).isError).toBe(true);

  await client.close();
});

test("a mail server that is gone is said and recorded, and the helpdesk lives on", async () => {
  await using world = await startTestWorld();
  const client = new Client({ name: "test", version: "1" });
  const env = { ...world.env, HELPDESK_SMTP_URL: "smtp://127.0.0.1:1" };
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [main], env }));
  const failed = await client.callTool({
    name: "send_email",
    arguments: { ticketId: "BIL-1001", to: "maria@fjordknit.example", subject: "x", body: "x" },
  });
  expect(failed).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("recorded as failed") }] });
  expect(await world.rows("SELECT state FROM email")).toEqual([{ state: "failed" }]);
  expect(await client.callTool({ name: "tickets.read", arguments: { ticketId: "BIL-1001" } })).not.toHaveProperty("isError", true);
  await client.close();
});

test.each([
  ["VAT number missing on invoice", "KB-101"],
  ["USt-IdNr. fehlt auf der Rechnung", "KB-101"],
  ["NIP na fakturze", "KB-101"],
  ["Cambiar la tarjeta", "KB-104"],
  ["領収書（適格請求書）の発行について", "KB-109"],
  ["I was charged twice", "KB-103"],
  ["Do you have a discount for charities?", "KB-106"],
])("kb.search answers %j with %s", async (query, articleId) => {
  await using world = await startTestWorld();
  const found = await world.helpdesk("kb.search", { query });
  expect(found.structuredContent).toMatchObject({ articles: expect.arrayContaining([expect.objectContaining({ articleId })]) });
  expect((found.structuredContent as { citations: { quote: string }[] }).citations[0]?.quote).not.toBe("");
});
