import type { NewEntry } from "@remit/contract";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { createRefusalRecorder } from "./refusal-recorder.ts";
import type { Refusal } from "./refusal-recorder.ts";

function start(record: (entry: NewEntry) => Promise<void> | void = () => undefined) {
  const entries: NewEntry[] = [];
  const logged: string[] = [];
  const recorder = createRefusalRecorder({
    ledger: {
      async record(entry) {
        await record(entry);
        entries.push(entry);
      },
    },
    logger: pino({}, { write: (line: string) => void logged.push(line) }),
    now: () => new Date("2026-11-21T10:00:00.000Z"),
  });
  const counted = () => entries.reduce((sum, { data }) => sum + Number(data["count"] ?? 1), 0);
  return { recorder, entries, logged, counted };
}

const refusal = (more: Partial<Refusal> = {}): Refusal => ({
  type: "token-refused",
  actor: "agent:a",
  code: "token-revoked",
  reason: "r",
  ...more,
});

describe("the recorder of refusals", () => {
  test("records the first of a kind as they are, counts the rest, and loses none", async () => {
    const { recorder, entries, counted } = start();
    for (let time = 0; time < 100; time += 1) await recorder.note(refusal({ data: { time } }));
    await recorder.note(refusal({ actor: "agent:b" }));
    expect(entries).toHaveLength(6);
    await recorder.stop();
    expect(entries).toHaveLength(7);
    expect(entries.at(-1)).toMatchObject({
      actor: "agent:a",
      data: { code: "token-revoked", count: 95, from: "2026-11-21T10:00:00.000Z" },
    });
    expect(counted()).toBe(101);
  });

  test("a flood that is different every time is bounded too", async () => {
    const { recorder, entries, counted } = start();
    for (let time = 0; time < 5_000; time += 1) await recorder.note(refusal({ actor: `agent:${time}` }));
    await recorder.stop();
    expect(entries.length).toBeLessThanOrEqual(201);
    expect(counted()).toBe(5_000);
  });

  test("begins anew with every window", async () => {
    const { recorder, entries } = start();
    for (let time = 0; time < 6; time += 1) await recorder.note(refusal());
    await recorder.flush();
    await recorder.note(refusal());
    await recorder.stop();
    expect(entries.map(({ data }) => data["count"] ?? 1)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });

  test("never throws: somebody was turned away, whether or not it could be written down", async () => {
    const { recorder, entries, logged } = start(() => {
      throw new Error("no ledger");
    });
    await recorder.note(refusal());
    await recorder.stop();
    expect(entries).toEqual([]);
    expect(logged.join()).toContain("refusal not recorded");
  });
});
