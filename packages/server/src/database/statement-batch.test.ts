import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** Batches with a parameter of 10 KB that were answered; what a collection of the young objects leaves of them, in KB. */
function leftBy(batches: number): number {
  const program = `
    const { createStatementBatch } = await import(${JSON.stringify(fileURLToPath(new URL("statement-batch.ts", import.meta.url)))});
    for (let count = 0; count < ${batches}; count += 1) {
      const statement = { name: "s", text: "SELECT 1", values: [Buffer.alloc(10_000)], resolve() {}, reject() {} };
      const batch = createStatementBatch([statement], 60_000, () => {});
      if (batch.name !== "s") throw new Error("it is not that statement's turn");
      batch.handleCommandComplete();
      batch.handleReadyForQuery();
    }
    gc({ type: "minor" });
    gc({ type: "minor" });
    process.stdout.write(String(process.memoryUsage().arrayBuffers / 1024));`;
  const args = ["--expose-gc", "--max-semi-space-size=64", "--min-semi-space-size=64", "--input-type=module", "--eval", program];
  return Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

test("what a batch has sent is let go of as soon as the young are collected", () => {
  expect(leftBy(4_000)).toBeLessThan(4_000);
});
