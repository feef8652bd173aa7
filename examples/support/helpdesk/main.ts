import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { openHelpdeskDatabase } from "./database.ts";
import { smtpMailer } from "./mail.tools.ts";
import { createHelpdeskServer } from "./server.ts";

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") {
    console.error(`helpdesk: ${name} is not set. It needs HELPDESK_DATABASE_URL and HELPDESK_SMTP_URL.`);
    process.exit(2);
  }
  return value;
}

const databaseUrl = required("HELPDESK_DATABASE_URL");
const mailer = smtpMailer(required("HELPDESK_SMTP_URL"));

const pool = await openHelpdeskDatabase(databaseUrl).catch((error: unknown) => {
  console.error(`helpdesk: cannot open its database: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});

const handle = serveStdio(() => createHelpdeskServer(pool, mailer), { onerror: (error) => console.error(`helpdesk: ${error.message}`) });

async function stop(): Promise<void> {
  await handle.close();
  await pool.end();
  process.exit(0);
}

process.once("SIGTERM", () => void stop());
process.once("SIGINT", () => void stop());
// Whoever started us has gone.
process.stdin.once("end", () => void stop());
