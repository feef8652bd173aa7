import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Everything that must hold before a change lands, cheapest first. Every step is run, also after one has failed: whoever reads the
 * output learns all that is wrong at once. The last line counts; the exit code says the same.
 */
const steps: { name: string; command: string; args: string[] }[] = [
  { name: "types", command: "tsc", args: ["-b"] },
  { name: "lint", command: "oxlint", args: ["--type-aware", "--deny-warnings"] },
  { name: "format", command: "oxfmt", args: ["--check", "."] },
  { name: "dead code", command: "knip", args: ["--no-progress"] },
];

type Tally = { passed: number; failed: number };

function run(command: string, args: readonly string[]): boolean {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (error !== undefined) process.stderr.write(`${command} could not be started: ${error.message}\n`);
  return status === 0;
}

/** Counts tests, not files. A run that says nothing, or that failed outside of any test, is a failure. */
function runTests(): Tally {
  const folder = mkdtempSync(join(tmpdir(), "remit-test-"));
  const report = join(folder, "report.json");
  try {
    const ended = run("vitest", ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`]);
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, "utf8")) as Record<string, number>;
    const failed = (numFailedTests ?? 0) + (numPendingTests ?? 0);
    if ((numPendingTests ?? 0) > 0) process.stdout.write(`${numPendingTests} tests were not run; that counts as failed\n`);
    return { passed: numPassedTests ?? 0, failed: ended ? failed : Math.max(failed, 1) };
  } catch (error) {
    process.stderr.write(`the tests left no report: ${String(error)}\n`);
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const total: Tally = { passed: 0, failed: 0 };
const said: string[] = [];
for (const { name, command, args } of steps) {
  process.stdout.write(`\n— ${name}\n`);
  const ok = run(command, args);
  said.push(`${ok ? "✓" : "✗"} ${name}`);
  total[ok ? "passed" : "failed"] += 1;
}
process.stdout.write("\n— tests\n");
const tests = runTests();
said.push(`${tests.failed === 0 ? "✓" : "✗"} tests: ${tests.passed} passed, ${tests.failed} failed`);
process.stdout.write(`\n${said.join("\n")}\n${total.passed + tests.passed} passed, ${total.failed + tests.failed} failed\n`);
process.exitCode = total.failed + tests.failed === 0 ? 0 : 1;
