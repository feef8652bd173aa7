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
  { name: "dependencies", command: process.execPath, args: ["scripts/audit-dependencies.ts"] },
];

type Tally = { passed: number; failed: number };

function run(command: string, args: readonly string[]): boolean {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (error !== undefined) process.stderr.write(`${command} could not be started: ${error.message}\n`);
  return status === 0;
}

type TestReport = {
  testResults: { name: string; status: string; assertionResults: { fullName: string; status: string }[] }[];
};

/** What one run of vitest says. A run that says nothing is null. */
function vitest(files: readonly string[], more: readonly string[]): { report: TestReport; ended: boolean } | null {
  const folder = mkdtempSync(join(tmpdir(), "remit-test-"));
  const path = join(folder, "report.json");
  try {
    const ended = run("vitest", ["run", ...files, "--reporter=default", "--reporter=json", `--outputFile.json=${path}`, ...more]);
    return { report: JSON.parse(readFileSync(path, "utf8")) as TestReport, ended };
  } catch (error) {
    process.stderr.write(`the tests left no report: ${String(error)}\n`);
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function testsOf(report: TestReport, ...statuses: string[]): string[] {
  return report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => statuses.includes(status)).map(({ fullName }) => fullName),
  );
}

/**
 * Tests that talk to another program say so at the end of their title: "(needs nats-server)". They may be left out where it is not
 * installed, and every one that was is named; any other test that was not run counts as failed.
 */
function isExcused(title: string): boolean {
  const program = /\(needs ([a-z0-9-]+)\)$/.exec(title)?.[1];
  return program !== undefined && spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status !== 0;
}

/**
 * Counts tests, not files. A file that failed is run once more with nothing beside it: what then passes is counted as passed and named,
 * for it failed only because the machine was busy, which is to be mended all the same.
 */
function runTests(): Tally {
  const first = vitest([], []);
  if (first === null) return { passed: 0, failed: 1 };
  const passed = testsOf(first.report, "passed").length;
  const notRun = testsOf(first.report, "pending", "skipped", "todo", "disabled");
  for (const title of notRun)
    process.stdout.write(`not run: ${title}${isExcused(title) ? ", which is not installed" : " (counts as failed)"}\n`);
  const unexcused = notRun.filter((title) => !isExcused(title)).length;
  if (first.ended) return { passed, failed: unexcused };

  const failed = testsOf(first.report, "failed");
  const files = first.report.testResults.filter(({ status }) => status !== "passed").map(({ name }) => name);
  // Many failures are no matter of a busy machine; and what failed outside of any file cannot be run again.
  if (files.length === 0 || files.length > 5) return { passed, failed: Math.max(failed.length, 1) + unexcused };
  process.stdout.write(`\n— once more, alone: ${files.join(" ")}\n`);
  const second = vitest(files, ["--maxWorkers=1"]);
  if (second === null || !second.ended) return { passed, failed: Math.max(failed.length, 1) + unexcused };
  for (const title of failed) process.stdout.write(`passed only when it was alone, mend it: ${title}\n`);
  const again = testsOf(second.report, "passed").length;
  const before = first.report.testResults.filter(({ name }) => files.includes(name));
  return { passed: passed - testsOf({ testResults: before }, "passed").length + again, failed: unexcused };
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
