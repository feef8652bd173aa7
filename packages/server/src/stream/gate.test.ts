import { expect, test } from "vitest";
import { openTestDatabase } from "../database/testing.ts";
import { createGate, gatedDatabase } from "./gate.ts";

test("[CTL-37] however many ask behind the gate and however long they take, connections are left for the others", async () => {
  await using test = await openTestDatabase({ poolSize: 3 });
  const gated = gatedDatabase(test.database, 2);
  const release = Promise.withResolvers<void>();
  let open = 0;
  const holding = Array.from({ length: 20 }, () =>
    gated.transaction(async (transaction) => {
      await transaction.query("SELECT 1");
      open += 1;
      await release.promise;
    }),
  );
  // Each of these would wait for ever if those behind the gate had taken all three connections.
  for (let count = 0; count < 50; count += 1) await test.database.transaction((transaction) => transaction.query("SELECT 1"));
  expect(open).toBeLessThanOrEqual(2);
  release.resolve();
  await Promise.all(holding);
  expect(open).toBe(20);
});

test("whoever fails behind the gate gives its place back, and those who wait come in order", async () => {
  const gate = createGate(1);
  const order: number[] = [];
  const works = [0, 1, 2, 3].map((name) =>
    gate(async () => {
      order.push(name);
      await Promise.resolve();
      if (name === 1) throw new Error("broken");
    }),
  );
  const outcomes = await Promise.allSettled(works);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect(order).toEqual([0, 1, 2, 3]);
});
