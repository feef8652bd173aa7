import { relative } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";
import type { TestSpecification } from "vitest/node";

/**
 * What takes longest, which is begun first: begun last, it would leave every other worker with nothing to do. Of the rest the larger
 * files come first.
 */
const longest = [
  "conformance/conformance.e2e.test.ts",
  "packages/server/src/action/crash.test.ts",
  "test/rolling.e2e.test.ts",
  "packages/server/src/telemetry/reconcile.server.test.ts",
  "test/start.e2e.test.ts",
  "test/hostile.e2e.test.ts",
  "packages/server/src/database/embedded-postgres.test.ts",
  "test/partition.e2e.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = longest.indexOf(relative(import.meta.dirname, moduleId));
      return found === -1 ? longest.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "requirements/**/*.test.ts",
      "examples/**/*.test.ts",
      "bench/**/*.test.ts",
      "conformance/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    globalSetup: ["packages/server/src/database/test-cluster.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A machine that is busy takes its time; what is waited for is a state, and never a moment.
    expect: { poll: { timeout: 30_000 } },
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
