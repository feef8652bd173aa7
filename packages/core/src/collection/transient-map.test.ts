import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { TransientMap } from "./transient-map.ts";

test("a transient map holds what a map holds, in the same order", () => {
  const key = fc.integer({ min: 0, max: 200 });
  const step = fc.oneof(fc.record({ set: key }), fc.record({ delete: key }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 2_000, size: "max" }), (steps) => {
      const model = new Map<number, object>();
      const map = new TransientMap<number, object>();
      for (const done of steps) {
        if ("set" in done) {
          const value = {};
          model.set(done.set, value);
          map.set(done.set, value);
        } else expect(map.delete(done.delete)).toBe(model.delete(done.delete));
        expect(map.size).toBe(model.size);
      }
      expect(map.entries()).toStrictEqual([...model]);
      expect(map.values()).toStrictEqual([...model.values()]);
      for (let each = 0; each <= 200; each += 1) {
        expect(map.get(each)).toBe(model.get(each));
        expect(map.has(each)).toBe(model.has(each));
      }
    }),
    { numRuns: 50 },
  );
});

test("what it is asked for is as it is at that moment, although it changes while it is gone through", () => {
  const map = new TransientMap<number, number>();
  for (let each = 0; each < 300; each += 1) map.set(each, each);
  const seen: number[] = [];
  for (const [key, value] of map.entries()) {
    map.delete(key);
    seen.push(value);
  }
  expect(seen).toStrictEqual(Array.from({ length: 300 }, (_, index) => index));
  expect(map.size).toBe(0);
});

/** After a whole collection, values of 10 KB come and go, 32 at a time; what a collection of the young leaves then, in MB. */
function leftBy(kind: string): number {
  const program = `
    const { TransientMap } = await import(${JSON.stringify(fileURLToPath(new URL("transient-map.ts", import.meta.url)))});
    const map = new ${kind}();
    let next = 0;
    const step = () => {
      map.set(next, Array.from({ length: 100 }, (_, index) => ({ index, of: next })));
      map.delete(next - 32);
      next += 1;
    };
    for (let count = 0; count < 100; count += 1) step();
    gc();
    for (let count = 0; count < 4_000; count += 1) step();
    gc({ type: "minor" });
    process.stdout.write(String(process.memoryUsage().heapUsed / 1024 / 1024));`;
  const args = ["--expose-gc", "--max-semi-space-size=64", "--min-semi-space-size=64", "--input-type=module", "--eval", program];
  return Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

test("it lets go of what has gone as soon as the young are collected, which a Map does not", () => {
  const left = leftBy("TransientMap");
  expect(left).toBeLessThan(leftBy("Map") / 2);
});
