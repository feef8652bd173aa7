import { buildRegistry } from "@remit/core/testing";
import { describe, expect, test } from "vitest";
import { openTestRuns, operator } from "./run.testing.ts";

const small = () => buildRegistry({ queues: [{ name: "billing-tier1", maxDepth: 10 }] });

describe("[RUN-15] a full queue", () => {
  test("of 64 additions at once on room for ten, exactly ten are taken and the others know why", async () => {
    await using test = await openTestRuns(small());
    const added = await Promise.allSettled(Array.from({ length: 64 }, (_, index) => test.enqueue(`T-${index}`)));
    expect(added.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    for (const one of added) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "queue-full" });
    expect(await test.queues.list({ after: null, limit: 10 })).toMatchObject({ items: [{ ready: 10, claimed: 0, maxDepth: 10 }] });
    expect(await test.entries("item-enqueued")).toHaveLength(10);
  });

  test("says so in a few entries, however often it is asked", async () => {
    await using test = await openTestRuns(small());
    await Promise.allSettled(Array.from({ length: 60 }, (_, index) => test.enqueue(`T-${index}`)));
    const refused = await test.entries("item-refused");
    expect(refused).toHaveLength(5);
    expect(refused[0]).toMatchObject({ actor: operator, data: { code: "queue-full", queue: "billing-tier1", maxDepth: 10 } });
  });

  test("takes more once work is done, and not once it is only claimed", async () => {
    await using test = await openTestRuns(small());
    await Promise.all(Array.from({ length: 10 }, (_, index) => test.enqueue(`T-${index}`)));
    const { run } = await test.start();
    await expect(test.enqueue("one more")).rejects.toMatchObject({ code: "queue-full" });
    await test.runs.end(run.id as Parameters<typeof test.runs.end>[0], operator, { outcome: "completed", reason: "done" });
    await test.enqueue("one more");
  });
});

describe("[RUN-13] a key", () => {
  test("twice at once is one item and one entry", async () => {
    await using test = await openTestRuns();
    const ids = await Promise.all(Array.from({ length: 20 }, () => test.enqueue("T-1042", "T-1042")));
    expect(new Set(ids).size).toBe(1);
    expect(await test.entries("item-enqueued")).toHaveLength(1);
  });

  test("is good when the queue is full, and after the work is done", async () => {
    await using test = await openTestRuns(buildRegistry({ queues: [{ name: "billing-tier1", maxDepth: 1 }] }));
    const id = await test.enqueue("T-1", "one");
    expect(await test.enqueue("T-1", "one")).toBe(id);
    const { run } = await test.start();
    await test.runs.end(run.id as Parameters<typeof test.runs.end>[0], operator, { outcome: "completed", reason: "done" });
    expect(await test.enqueue("T-1", "one")).toBe(id);
    expect(await test.item(id)).toMatchObject({ state: "completed" });
  });
});

describe("work", () => {
  const enqueue = { subject: "T-1", payload: {} };

  test("is given to the agent as it came, and its words are in the ledger only where they can be erased", async () => {
    await using test = await openTestRuns();
    const payload = JSON.parse('{"z":1,"a":{"text":"kettle \\u0000 and \\ud83d\\ude00"},"n":1.5}') as Record<string, unknown>;
    await test.queues.enqueue(operator, "billing-tier1", { subject: "About Kim", payload });
    const { item } = await test.start();
    expect(item?.payload).toEqual(payload);
    for (const { body } of await test.entries()) expect(body).not.toMatch(/Kim|kettle/);
  });

  test.each([
    ["more than an agent's program can be given", "billing-tier1", { payload: { text: "x".repeat(96 * 1024) } }, "too-large", "98304"],
    ["a queue that is not there", "billing-tier2", {}, "not-found", 'did you mean "billing-tier1"?'],
    ["text that no JSON of two parsers agrees on", "billing-tier1", { payload: { text: "\ud800" } }, "invalid-arguments", ""],
  ])("%s is refused, and nothing is left of it", async (_, queue, more, code, words) => {
    await using test = await openTestRuns();
    const refused = test.queues.enqueue(operator, queue, { ...enqueue, ...more });
    await expect(refused).rejects.toMatchObject({ code });
    await expect(refused).rejects.toThrow(words);
    expect(await test.queues.items("billing-tier1", { state: null, before: null, limit: 10 })).toEqual({ items: [], next: null });
  });

  test("of a queue that is no longer registered can still be looked at, and is not taken", async () => {
    await using test = await openTestRuns(buildRegistry({ queues: [{ name: "old" }] }));
    await test.queues.enqueue(operator, "old", enqueue);
    await test.apply(buildRegistry());
    const page = await test.queues.list({ after: null, limit: 10 });
    expect(page.items).toMatchObject([
      { name: "billing-tier1", maxDepth: 1000 },
      { name: "old", ready: 1, maxDepth: null },
    ]);
    expect((await test.queues.items("old", { state: null, before: null, limit: 10 })).items).toMatchObject([{ subject: "T-1" }]);
    await expect(test.start({ queue: "old" })).rejects.toMatchObject({ code: "not-found" });
  });
});
