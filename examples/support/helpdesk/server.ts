import { McpServer } from "@modelcontextprotocol/server";
import type { Pool } from "pg";
import { registerCustomerTools } from "./customer.tools.ts";
import { registerKnowledgeTools } from "./knowledge.tools.ts";
import { registerMailTools } from "./mail.tools.ts";
import type { Mailer } from "./mail.tools.ts";
import { registerRefundTools } from "./refund.tools.ts";
import { registerTicketTools } from "./ticket.tools.ts";

/** Northwind's helpdesk as an MCP server. It knows nothing of agents or of Remit, and does whatever it is asked. */
export function createHelpdeskServer(pool: Pool, mailer: Mailer): McpServer {
  const server = new McpServer(
    { name: "northwind-helpdesk", version: "1.0.0" },
    { instructions: "Tickets, knowledge base, mail and refunds of Northwind's support." },
  );
  registerTicketTools(server, pool);
  registerKnowledgeTools(server, pool);
  registerMailTools(server, pool, mailer);
  registerRefundTools(server, pool);
  registerCustomerTools(server, pool);
  return server;
}
