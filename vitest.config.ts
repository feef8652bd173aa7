import { defineConfig } from "vitest/config";

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
  },
});
