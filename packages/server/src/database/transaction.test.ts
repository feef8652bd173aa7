import { expect, test } from "vitest";
import { openTestDatabase } from "./testing.ts";

async function openThings() {
  const test = await openTestDatabase();
  await test.superuser.query("CREATE TABLE thing (id integer PRIMARY KEY, at timestamptz)");
  await test.superuser.query("GRANT SELECT, INSERT, UPDATE ON thing TO remit_app");
  return {
    ...test,
    ids: async () => (await test.database.query<{ id: number }>("SELECT id FROM thing ORDER BY id")).map(({ id }) => id),
  };
}

const insert = { name: "thing-insert", text: "INSERT INTO thing (id) VALUES ($1)" };
const select = { name: "things", text: "SELECT id FROM thing WHERE id > $1 ORDER BY id" };

test("statements asked for at once run in their order, each seeing those before it, also when they are prepared in the same message", async () => {
  await using test = await openThings();
  await test.database.transaction(async (transaction) => {
    transaction.write(insert, [1]);
    const [before, , after, columns] = await Promise.all([
      transaction.query(select, [0]),
      transaction.query(insert, [2]),
      transaction.query(select, [0]),
      transaction.query("SELECT $1::text AS text, NULL AS nothing, now() AS at", ["a"]),
    ]);
    expect([before, after]).toEqual([[{ id: 1 }], [{ id: 1 }, { id: 2 }]]);
    expect(columns).toEqual([{ text: "a", nothing: null, at: expect.any(Date) as Date }]);
    // Known by now: neither parsed nor described again.
    expect(await transaction.query(select, [1])).toEqual([{ id: 2 }]);
    expect(await transaction.query(select, [9])).toEqual([]);
  });
  expect(await test.ids()).toEqual([1, 2]);
});

test("a write that fails fails the commit, and nothing of the transaction stays", async () => {
  await using test = await openThings();
  const failing = test.database.transaction(async (transaction) => {
    await transaction.query(insert, [1]);
    transaction.write(insert, [1]);
    transaction.write(insert, [2]);
  });
  await expect(failing).rejects.toMatchObject({ code: "23505" });
  expect(await test.ids()).toEqual([]);
});

test("a write that fails is what the next query fails with, and those asked for beside it", async () => {
  await using test = await openThings();
  let first: unknown;
  const failing = test.database.transaction(async (transaction) => {
    transaction.write(insert, ["not a number"]);
    const answers = await Promise.allSettled([transaction.query(select, [0]), transaction.query(select, [1])]);
    first = answers.map((answer) => (answer.status === "rejected" ? (answer.reason as { code: string }).code : "fulfilled"));
    await transaction.query(select, [0]);
  });
  await expect(failing).rejects.toMatchObject({ code: "22P02" });
  expect(first).toEqual(["22P02", "22P02"]);
});

test("a failure that the work swallows does not become a commit that does nothing", async () => {
  await using test = await openThings();
  const swallowing = test.database.transaction(async (transaction) => {
    await transaction.query(insert, [1]);
    await transaction.query(insert, [1]).catch(() => undefined);
    return "done";
  });
  await expect(swallowing).rejects.toMatchObject({ code: "23505" });
  expect(await test.ids()).toEqual([]);
});

test("a name that is prepared for another text is refused before anything is sent", async () => {
  await using test = await openThings();
  await test.database.transaction((transaction) => transaction.query(select, [0]));
  for (let connection = 0; connection < 2; connection += 1) {
    const confused = test.database.transaction((transaction) => transaction.query({ name: "things", text: "SELECT 1" }, []));
    await expect(confused).rejects.toThrow('Two statements are named "things"');
  }
  expect(await test.database.query(select, [0])).toEqual([]);
});

test("a value that cannot be sent fails its own query alone", async () => {
  await using test = await openThings();
  const circular: { self?: unknown } = {};
  circular.self = circular;
  await test.database.transaction(async (transaction) => {
    await expect(transaction.query("SELECT $1::json", [circular])).rejects.toThrow("circular");
    transaction.write(insert, [1]);
  });
  expect(await test.ids()).toEqual([1]);
});

test("whoever waits for the commit is told of a commit, and of nothing else", async () => {
  await using test = await openThings();
  const told: string[] = [];
  const failing = test.database.transaction(async (transaction) => {
    transaction.onCommit(() => told.push("failed"));
    transaction.write(insert, [1]);
    transaction.write(insert, [1]);
  });
  await expect(failing).rejects.toMatchObject({ code: "23505" });
  await test.database.transaction(async (transaction) => {
    transaction.onCommit(() => told.push("committed"));
    transaction.write(insert, [2]);
    expect(told).toEqual([]);
  });
  expect(told).toEqual(["committed"]);
});
