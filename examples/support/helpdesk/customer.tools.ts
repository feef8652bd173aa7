import type { McpServer } from "@modelcontextprotocol/server";
import type { Pool } from "pg";
import { z } from "zod";
import { answer, answering } from "./answer.ts";

const customerSchema = z.object({ id: z.string(), name: z.string(), email: z.string(), phone: z.string().nullable(), plan: z.string() });

export function registerCustomerTools(server: McpServer, pool: Pool): void {
  server.registerTool(
    "customers.export",
    {
      description: "Every customer with name, address and plan: for the yearly audit.",
      inputSchema: z.strictObject({}),
      outputSchema: z.object({ customers: z.array(customerSchema) }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    () =>
      answering(async () => {
        const found = await pool.query<z.infer<typeof customerSchema>>("SELECT id, name, email, phone, plan FROM customer ORDER BY id");
        return answer({ customers: found.rows }, `${found.rows.length} customers.`);
      }),
  );
}
