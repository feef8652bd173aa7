import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffDelay } from "./backoff.ts";
import { createBulkhead } from "./bulkhead.ts";
import { createLineReader } from "./line-reader.ts";
import { createSseReader } from "./sse-reader.ts";
import { createStderrRing } from "./stderr-ring.ts";

/** Cuts bytes at the given places, as a pipe might. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((left, right) => left - right), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe("reading", () => {
  test("lines come out as they went in, however they were cut", () => {
    const line = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("\n"));
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat()), (lines, places) => {
        const seen: string[] = [];
        const reader = createLineReader(1_000_000, { line: (text) => seen.push(text), overlong: () => expect.unreachable() });
        for (const chunk of cut(Buffer.from(lines.map((text) => `${text}\n`).join("")), places)) reader.push(chunk);
        expect(seen).toEqual(lines);
      }),
    );
  });

  test("a line over the limit is told by its beginning and its end, and the next line is whole", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (places) => {
        const seen: unknown[] = [];
        const reader = createLineReader(1_000, { line: (text) => seen.push(text), overlong: (...ends) => seen.push(ends) });
        const long = `{"id":1${"x".repeat(5_000)}"id":2}`;
        for (const chunk of cut(Buffer.from(`a\n${long}\nb\n`), places)) reader.push(chunk);
        expect(seen).toEqual(["a", [long.slice(0, 256), long.slice(-256)], "b"]);
      }),
    );
  });

  test("events come out as they went in, however the stream was cut", () => {
    const data = fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, "x"));
    fc.assert(
      fc.property(fc.array(data, { minLength: 1 }), fc.constantFrom("\n", "\r\n"), fc.array(fc.nat()), (events, end, places) => {
        const seen: string[] = [];
        const reader = createSseReader((text) => seen.push(text));
        const stream = events.map((text) => `: comment${end}event: message${end}data: ${text}${end}id: 1${end}${end}`).join("");
        for (const chunk of cut(Buffer.from(stream, "latin1"), places)) reader.push(chunk.toString("latin1"));
        expect(seen).toEqual(events.map((text) => Buffer.from(text, "latin1").toString("latin1")));
      }),
    );
  });
});

describe("[CTL-21] the last words of a child", () => {
  test("are bounded, printable and without the secrets that it was given", () => {
    const ring = createStderrRing({ TOKEN: "s3cret-value", SHORT: "on" }, () => undefined);
    ring.push(Buffer.from("token is s3cret-value, mode on\n\u001b[31mred\u001b[0m \u202Eevil\u0007\n"));
    for (let index = 0; index < 100; index += 1) ring.push(Buffer.from(`line ${index} ${"x".repeat(1_000)}\n`));
    const fresh = createStderrRing({ TOKEN: "s3cret-value", SHORT: "on" }, () => undefined);
    fresh.push(Buffer.from("token is s3cret-value, mode on\n\u001b[31mred\u001b[0m \u202Eevil\u0007\nhalf a l"));
    expect(fresh.lines()).toEqual(["token is [TOKEN], mode on", "red  evil ", "half a l"]);
    expect(ring.lines()).toHaveLength(50);
    expect(Math.max(...ring.lines().map((line) => line.length))).toBe(500);
  });
});

describe("[CTL-21] waits", () => {
  test("grow with every attempt, stay within the cap and are never nothing", () => {
    const options = { firstMs: 250, maxMs: 30_000, stableAfterMs: 0 };
    fc.assert(
      fc.property(fc.nat({ max: 1_000 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
        const delay = backoffDelay(options, attempt, random);
        expect(delay).toBeGreaterThanOrEqual(Math.min(options.maxMs, options.firstMs * 2 ** Math.min(attempt, 30)) / 2);
        expect(delay).toBeLessThanOrEqual(options.maxMs);
      }),
    );
  });

  test("never more than the limit run; whoever waits comes in order; whoever gives up leaves no hole", async () => {
    const bulkhead = createBulkhead("up", 2);
    const never = new AbortController().signal;
    const [first] = await Promise.all([bulkhead.enter(never), bulkhead.enter(never)]);
    const order: number[] = [];
    const leaving = new AbortController();
    const third = bulkhead.enter(leaving.signal).catch(() => order.push(3));
    const fourth = bulkhead.enter(never).then(() => order.push(4));
    leaving.abort(new Error("gave up"));
    await third;
    expect(bulkhead.running()).toBe(2);
    first();
    await fourth;
    expect([order, bulkhead.running()]).toEqual([[3, 4], 2]);
    const fifth = bulkhead.enter(never);
    bulkhead.resize(3);
    await fifth;
    expect(bulkhead.running()).toBe(3);
  });
});
