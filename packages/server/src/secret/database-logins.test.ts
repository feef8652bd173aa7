import { Client } from "pg";
import { expect, test } from "vitest";
import { openEmptyDatabase } from "../database/testing.ts";
import { openTestCredentials, patient, requestOf, testBy, testCredential, testUpstream } from "./secret.testing.ts";
import type { TestCredentials } from "./secret.testing.ts";

const from = {
  type: "postgres",
  admin: "crm/admin",
  grants: ["GRANT USAGE ON SCHEMA public TO {{role}}", "GRANT SELECT ON contact TO {{role}}"],
  ttl: "PT10M",
};
const upstream = testUpstream("crm", "crm-db", { transport: { type: "stdio", command: "serve" } });
const credential = testCredential("crm-db", from, { type: "env", name: "DATABASE_URL", field: "url" });

/** A database of somebody's own, with a table of contacts. */
async function openCrm() {
  const crm = await openEmptyDatabase();
  const owner = new Client({ connectionString: crm.url });
  owner.on("error", () => undefined);
  await owner.connect();
  await owner.query("CREATE TABLE contact (name text); INSERT INTO contact VALUES ('Ada'); CREATE TABLE salary (amount int)");
  return {
    url: crm.url,
    roles: async () =>
      (
        await owner.query<{ rolname: string }>(
          "SELECT rolname FROM pg_roles WHERE rolname LIKE 'remit\\_%\\_%' AND rolname ~ '_[0-9a-f]{6}$'",
        )
      ).rows.map(({ rolname }) => rolname),
    async [Symbol.asyncDispose]() {
      await owner.end();
      await crm[Symbol.asyncDispose]();
    },
  };
}

async function session(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

async function lease(test: TestCredentials) {
  const leased = await test.broker.lease(requestOf(upstream, testBy()), patient());
  if (leased === null) throw new Error("no lease");
  return { ...leased, url: leased.env["DATABASE_URL"] ?? "" };
}

test("[CTL-05][CTL-07] a lease is a login of its own with the template's grants and an end; taken back, it is dropped with its sessions", async () => {
  await using crm = await openCrm();
  await using test = await openTestCredentials([upstream], [credential]);
  await test.secrets.set({ path: "crm/admin", value: crm.url }, "party:ada");
  const before = await crm.roles();
  const leased = await lease(test);
  const client = await session(leased.url);
  expect((await client.query("SELECT name FROM contact")).rows).toEqual([{ name: "Ada" }]);
  await expect(client.query("SELECT amount FROM salary")).rejects.toThrow("permission denied");
  await expect(client.query("INSERT INTO contact VALUES ('Eve')")).rejects.toThrow("permission denied");
  await expect(client.query("CREATE ROLE more")).rejects.toThrow("permission denied");
  const { rows } = await client.query<{ until: string }>("SELECT rolvaliduntil::text AS until FROM pg_roles WHERE rolname = current_user");
  expect(Math.abs(new Date(rows[0]?.until ?? 0).getTime() - leased.expiresAt.getTime())).toBeLessThan(1_000);
  expect(await crm.roles()).toHaveLength(before.length + 1);

  const gone = new Promise((resolve) => client.once("end", resolve));
  await test.leases.revoke({ scope: { type: "agent", name: "support-agent" }, reason: "a drill" }, "party:ada");
  expect(leased.ended.reason).toMatchObject({ code: "halted" });
  await test.clock.catchUp();
  await gone;
  expect(await crm.roles()).toEqual(before);
  await expect(session(leased.url)).rejects.toThrow();
});

test("[CTL-05] what a crashed server has left is dropped when its time is up, by whichever server comes first", async () => {
  await using crm = await openCrm();
  await using test = await openTestCredentials([upstream], [credential]);
  await test.secrets.set({ path: "crm/admin", value: crm.url }, "party:ada");
  const before = await crm.roles();
  // It says that it will make a login, makes it, and is never heard of again.
  await lease(test);
  expect(await crm.roles()).toHaveLength(before.length + 1);
  const other = test.another();
  await other.clock.catchUp();
  expect(await crm.roles()).toHaveLength(before.length + 1);
  test.later(11 * 60_000);
  await Promise.all([other.clock.catchUp(), test.clock.catchUp()]);
  expect(await crm.roles()).toEqual(before);
});

test("a login that cannot be dropped yet is tried again, and nothing of why is repeated that is secret", async () => {
  await using crm = await openCrm();
  await using test = await openTestCredentials([upstream], [credential]);
  await test.secrets.set({ path: "crm/admin", value: crm.url }, "party:ada");
  const before = await crm.roles();
  await lease(test);
  await test.secrets.rotate(
    { path: "crm/admin", value: "postgres://nobody:wrong-password@127.0.0.1:1/none", overlap: "PT1H" },
    "party:ada",
  );
  await test.clock.catchUp();
  expect(await crm.roles()).toHaveLength(before.length + 1);
  expect(test.logged.join("\n")).toContain("could not be taken back");
  expect(test.logged.join("\n")).not.toContain("wrong-password");
  await test.secrets.rotate({ path: "crm/admin", value: crm.url, overlap: "PT1H" }, "party:ada");
  test.later(60_000);
  await test.clock.catchUp();
  expect(await crm.roles()).toEqual(before);
});

test("[CTL-05] a connection's login is made to last while the connection does", async () => {
  await using crm = await openCrm();
  await using test = await openTestCredentials([upstream], [credential], { lifetimeMs: 1_000 });
  await test.secrets.set({ path: "crm/admin", value: crm.url }, "party:ada");
  const before = await crm.roles();
  const leased = await test.broker.lease(requestOf(upstream, null), patient());
  const first = leased?.expiresAt.getTime() ?? 0;
  while ((leased?.expiresAt.getTime() ?? 0) <= first) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(leased?.ended.aborted).toBe(false);
  await leased?.release();
  await test.clock.catchUp();
  expect(await crm.roles()).toEqual(before);
});

test("a template that the database refuses leaves no login behind", async () => {
  await using crm = await openCrm();
  const wrong = testCredential(
    "crm-db",
    { ...from, grants: ["GRANT SELECT ON nothing_here TO {{role}}"] },
    { type: "env", name: "DATABASE_URL", field: "url" },
  );
  await using test = await openTestCredentials([upstream], [wrong]);
  await test.secrets.set({ path: "crm/admin", value: crm.url }, "party:ada");
  const before = await crm.roles();
  await expect(lease(test)).rejects.toMatchObject({ code: "credential-unavailable", message: expect.stringContaining("42P01") as string });
  await test.clock.catchUp();
  expect(await crm.roles()).toEqual(before);
});
