import { RemitError } from "@remit/contract";
import { expect, test } from "vitest";
import { openDatabase } from "./database.postgres.ts";
import { openTestDatabase } from "./testing.ts";

test("a test's database is migrated, and the application is remit_app in it", async () => {
  await using test = await openTestDatabase();
  expect(await test.database.query("SELECT current_user AS who")).toEqual([{ who: "remit_app" }]);
  expect(await test.database.query("SELECT count(*)::int AS n FROM remit_instance")).toEqual([{ n: 1 }]);
  await expect(test.database.query("DELETE FROM remit_instance")).rejects.toMatchObject({ code: "42501" });
});

test("a transaction commits as one, and rolls back when its work throws", async () => {
  await using test = await openTestDatabase();
  await test.superuser.query("CREATE TABLE thing (id integer PRIMARY KEY); GRANT SELECT, INSERT ON thing TO remit_app");
  await test.database.transaction(async (transaction) => {
    await transaction.query("INSERT INTO thing VALUES (1)");
    expect(await test.database.query("SELECT * FROM thing")).toEqual([]);
  });
  const failing = test.database.transaction(async (transaction) => {
    await transaction.query("INSERT INTO thing VALUES (2)");
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await test.database.query({ name: "things", text: "SELECT id FROM thing WHERE id > $1" }, [0])).toEqual([{ id: 1 }]);
});

test("a connection that breaks in a transaction is an error that says so, and is not used again", async () => {
  await using test = await openTestDatabase({ poolSize: 1 });
  const broken = test.database.transaction(async (transaction) => {
    const [backend] = await transaction.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await test.superuser.query("SELECT pg_terminate_backend($1)", [backend?.pid]);
    await transaction.query("SELECT 1");
  });
  await expect(broken).rejects.toMatchObject({ code: "database-unavailable" });
  expect(await test.database.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("a connection that PostgreSQL closes in the middle of a batch is not given to the next", async () => {
  await using test = await openTestDatabase();
  const database = openDatabase({ url: test.url, role: null });
  const end = { name: "end", text: "SELECT pg_terminate_backend(pg_backend_pid())", values: [] };
  const failing = database.atomically([end]);
  // Asked for as soon as the first has failed.
  const next = failing.catch(() => database.atomically([{ name: "one", text: "SELECT 1", values: [] }]));
  await expect(failing).rejects.toMatchObject({ code: "database-unavailable" });
  await expect(next).resolves.toBeUndefined();
  await database.close();
});

test("no server at the address is database-unavailable", async () => {
  const database = openDatabase({ url: "postgres://nobody:secret@127.0.0.1:1/nothing" });
  const error: unknown = await database.query("SELECT 1").catch((thrown: unknown) => thrown);
  expect(RemitError.is(error) && error.code).toBe("database-unavailable");
  expect(String(error)).not.toContain("secret");
  await database.close();
});
