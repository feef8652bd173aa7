import { randomBytes } from "node:crypto";
import { RemitError } from "@remit/contract";
import { durationSeconds } from "@remit/core";
import { Client, escapeIdentifier, escapeLiteral } from "pg";
import type { Backend } from "./backend.ts";
import type { Secrets } from "./secrets.ts";

const timeoutMs = 10_000;

/**
 * Logins of a PostgreSQL that are made for one lease: a role with an end (`VALID UNTIL`) and the grants of a template. Taking one back ends
 * its sessions, takes its privileges and drops it. What is made is written down before, so that a crash leaves nothing behind for long.
 */
export function createDatabaseLogins({ secrets, now }: { secrets: Pick<Secrets, "open">; now: () => Date }): Backend {
  /** Connected as the login that may make roles. What the driver says may hold its URL, so none of it is passed on. */
  async function asAdmin<Result>(admin: string, what: string, work: (client: Client, url: URL) => Promise<Result>): Promise<Result> {
    const { value } = await secrets.open(admin);
    if (!URL.canParse(value.trim()))
      throw new RemitError("credential-unavailable", `the secret ${admin} is not the URL of a login; nothing was sent`);
    const url = new URL(value.trim());
    const client = new Client({
      connectionString: url.href,
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: timeoutMs,
      application_name: "remit-broker",
    });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return await work(client, url);
    } catch (error) {
      if (RemitError.is(error)) throw error;
      const code = (error as { code?: unknown }).code;
      throw new RemitError(
        "credential-unavailable",
        `the database behind ${admin} did not let Remit ${what} (${typeof code === "string" ? code : "no connection"}); nothing was sent`,
      );
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  return {
    async issue({ lease, credential: { from }, until, willUndo }) {
      if (from.type !== "postgres") throw new Error("no PostgreSQL");
      const expiresAt = new Date(Math.min(until.getTime(), now().getTime() + durationSeconds(from.ttl) * 1_000));
      // Its name says whose it is: the last digits of the lease are random.
      const role = `remit_${lease.slice(-20)}_${randomBytes(3).toString("hex")}`;
      const password = randomBytes(24).toString("base64url");
      await willUndo({ type: "postgres", admin: from.admin, role, revoke: from.revoke });
      const rests = [{ path: from.admin, version: (await secrets.open(from.admin)).version }];
      return await asAdmin(from.admin, "make a login", async (client, url) => {
        const name = escapeIdentifier(role);
        await client.query("BEGIN");
        // The server hashes it before it is stored; the statement is not logged with it by `log_statement` below `ddl`.
        await client.query(
          `CREATE ROLE ${name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD ${escapeLiteral(password)} VALID UNTIL ${escapeLiteral(expiresAt.toISOString())}`,
        );
        for (const grant of from.grants) await client.query(grant.replaceAll("{{role}}", name));
        await client.query("COMMIT");
        const login = new URL(url);
        login.username = role;
        login.password = password;
        return { fields: { username: role, password, url: login.href }, open: ["username"], rests, expiresAt };
      });
    },

    async undo(undo) {
      if (undo.type !== "postgres") return;
      await asAdmin(undo.admin, "drop a login", async (client) => {
        const name = escapeIdentifier(undo.role);
        const { rowCount } = await client.query("SELECT FROM pg_roles WHERE rolname = $1", [undo.role]);
        if (rowCount === 0) return;
        await client.query(`ALTER ROLE ${name} NOLOGIN`);
        // Only members of a role may end its sessions and drop what it owns; whoever made it may make himself one.
        await client.query(`GRANT ${name} TO CURRENT_USER`);
        await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [undo.role]);
        for (const statement of undo.revoke) await client.query(statement.replaceAll("{{role}}", name));
        await client.query(`DROP OWNED BY ${name}`);
        await client.query(`DROP ROLE ${name}`);
      });
    },

    async renew({ credential: { from }, until, undos }) {
      if (from.type !== "postgres") return null;
      const expiresAt = new Date(Math.min(until.getTime(), now().getTime() + durationSeconds(from.ttl) * 1_000));
      const roles = undos.flatMap((undo) => (undo.type === "postgres" && undo.admin === from.admin ? [undo.role] : []));
      return await asAdmin(from.admin, "renew a login", async (client) => {
        for (const role of roles)
          await client.query(`ALTER ROLE ${escapeIdentifier(role)} VALID UNTIL ${escapeLiteral(expiresAt.toISOString())}`);
        return expiresAt;
      });
    },
  };
}
