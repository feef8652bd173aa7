import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { queueOf, readSeed } from "./helpdesk/seed.ts";
import { startMailSink } from "./mail/sink.ts";

export type SupportItem = { queue: string; subject: string; payload: { ticketId: string }; key: string };

export type SupportWorld = {
  /** For the server's environment; the upstream `helpdesk` passes these on by name. */
  env: { HELPDESK_DATABASE_URL: string; HELPDESK_SMTP_URL: string };
  /** The page on which a person sees every mail that was sent. */
  mailUrl: string;
  mailFolder: string;
  /** Work to enqueue, in the order in which it came in. Enqueuing twice is harmless: `key` is the ticket. */
  items: SupportItem[];
  stop(): Promise<void>;
};

export type SupportOptions = {
  /** Someone who may create databases and roles there. */
  databaseAdminUrl: string;
  /** Where mails and the helpdesk's password are kept. */
  dir: string;
  databaseName?: string;
};

/** Makes the world around Remit that the example needs: the helpdesk's own database, a mail server, and tickets to work on. */
export async function startSupportWorld(options: SupportOptions): Promise<SupportWorld> {
  await mkdir(options.dir, { recursive: true });
  const mailFolder = join(options.dir, "mails");
  const [databaseUrl, seed, sink] = await Promise.all([createDatabase(options), readSeed(), startMailSink(mailFolder)]);
  return {
    env: { HELPDESK_DATABASE_URL: databaseUrl, HELPDESK_SMTP_URL: sink.smtpUrl },
    mailUrl: sink.pageUrl,
    mailFolder,
    items: seed.tickets.map((ticket) => ({
      queue: queueOf(ticket.id),
      subject: `${ticket.id} ${ticket.subject}`,
      payload: { ticketId: ticket.id },
      key: ticket.id,
    })),
    stop: () => sink.stop(),
  };
}

/** The helpdesk gets a role that owns its own database and nothing else: it must not reach Remit's tables with an administrator's rights. */
async function createDatabase({ databaseAdminUrl, dir, databaseName = "northwind_helpdesk" }: SupportOptions): Promise<string> {
  const password = await keptPassword(join(dir, "helpdesk.password"));
  const admin = new pg.Client({ connectionString: databaseAdminUrl });
  await admin.connect();
  try {
    const name = admin.escapeIdentifier(databaseName);
    const role = await admin.query("SELECT FROM pg_roles WHERE rolname = $1", [databaseName]);
    // Utility statements take no parameters.
    await admin.query(`${role.rowCount === 0 ? "CREATE" : "ALTER"} ROLE ${name} LOGIN PASSWORD ${admin.escapeLiteral(password)}`);
    const database = await admin.query("SELECT FROM pg_database WHERE datname = $1", [databaseName]);
    if (database.rowCount === 0) {
      await admin.query(`CREATE DATABASE ${name}`);
      await admin.query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`);
      await admin.query(`ALTER DATABASE ${name} OWNER TO ${name}`);
    }
  } finally {
    await admin.end();
  }
  const url = new URL(databaseAdminUrl);
  url.username = databaseName;
  url.password = password;
  url.pathname = `/${databaseName}`;
  return url.href;
}

async function keptPassword(file: string): Promise<string> {
  const password = randomBytes(24).toString("base64url");
  try {
    await writeFile(file, password, { mode: 0o600, flag: "wx" });
    return password;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    return readFile(file, "utf8");
  }
}
