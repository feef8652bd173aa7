import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTestDatabase } from "@remit/server/testing";
import pg from "pg";
import { expect, test } from "vitest";
import { startSupportWorld } from "./setup.ts";

test("makes the helpdesk's database once, and its role reaches nothing of Remit's", async () => {
  await using server = await openTestDatabase();
  const dir = await mkdtemp(join(tmpdir(), "support-"));
  const databaseName = "helpdesk_setup_test";
  const options = { databaseAdminUrl: server.url, dir, databaseName };
  try {
    const first = await startSupportWorld(options);
    await first.stop();
    const world = await startSupportWorld(options);
    expect(world.env.HELPDESK_DATABASE_URL).toBe(first.env.HELPDESK_DATABASE_URL);
    expect((await stat(join(dir, "helpdesk.password"))).mode & 0o777).toBe(0o600);

    expect(world.items.filter((item) => item.queue === "billing-tier1").length).toBeGreaterThanOrEqual(16);
    expect(world.items[0]).toEqual({
      queue: "billing-tier1",
      subject: "BIL-1001 Charged twice for November",
      payload: { ticketId: "BIL-1001" },
      key: "BIL-1001",
    });
    expect(new Set(world.items.map((item) => item.key)).size).toBe(world.items.length);
    expect(JSON.stringify(world.items)).not.toContain("hostile");

    const own = new pg.Client({ connectionString: world.env.HELPDESK_DATABASE_URL });
    await own.connect();
    expect(
      (await own.query("SELECT rolsuper OR rolcreaterole OR rolcreatedb AS power FROM pg_roles WHERE rolname = current_user")).rows,
    ).toEqual([{ power: false }]);
    await own.end();

    const remits = new URL(world.env.HELPDESK_DATABASE_URL);
    remits.pathname = new URL(server.url).pathname;
    const trespasser = new pg.Client({ connectionString: remits.href });
    await trespasser.connect();
    await expect(trespasser.query("SELECT FROM ledger_entry")).rejects.toThrow("permission denied for table ledger_entry");
    await trespasser.end();
    await world.stop();
  } finally {
    await server.superuser.query(`DROP DATABASE IF EXISTS ${databaseName} WITH (FORCE)`);
    await server.superuser.query(`DROP ROLE IF EXISTS ${databaseName}`);
    await rm(dir, { recursive: true });
  }
});
