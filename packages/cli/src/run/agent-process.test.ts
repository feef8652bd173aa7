import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { sandboxSpecSchema } from "@remit/contract";
import { contain, examineMachine, uncontained } from "@remit/sandbox";
import type { Machine } from "@remit/sandbox";
import { describe, expect, test } from "vitest";
import { startAgentProcess, unstartedAgent } from "./agent-process.ts";

let runs = 0;
const bare = uncontained("a test");
const machine = await examineMachine();
if (machine.by === null) console.warn(`this machine contains nothing, so that is not tested: ${machine.why}`);

async function start(machine: Machine, script: string, options: { graceMs?: number; command?: string[] } = {}) {
  const lines: string[] = [];
  runs += 1;
  const runId = `run_test_${process.pid}_${runs}`;
  const [command = "", ...args] = options.command ?? [process.execPath, "--eval", script];
  const contained = await contain(
    {
      command,
      args,
      cwd: tmpdir(),
      env: { PATH: process.env["PATH"] ?? "", REMIT_RUN_ID: runId },
      sandbox: sandboxSpecSchema.parse({ mode: machine.by === null ? "off" : "preferred" }),
      baseDir: tmpdir(),
      variables: {},
      hidden: [],
    },
    machine,
  );
  const agent = startAgentProcess({
    contained,
    runId,
    graceMs: options.graceMs ?? 300,
    onOutput: (stream, line) => lines.push(`${stream}: ${line}`),
  });
  return { agent, lines };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(20);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe.each([bare, ...(machine.by === null ? [] : [machine])])("contained by $by", (machine) => {
  test("[RUN-28] a program's output is handed on line by line, safe to show, to its last line", async () => {
    const { agent, lines } = await start(
      machine,
      `console.log("one\\x1b[2J"); console.error("two"); process.stdout.write("three without an end")`,
    );
    expect(await agent.exited).toEqual({ code: 0, signal: null, problem: null });
    expect(lines.toSorted()).toEqual([String.raw`stderr: two`, String.raw`stdout: one\u001b[2J`, "stdout: three without an end"]);
  });

  test("[SAF-21] a program that dies says how", async () => {
    expect((await (await start(machine, "process.exit(3)")).agent.exited).code).toBe(3);
    expect((await (await start(machine, "process.kill(process.pid, 'SIGSEGV')")).agent.exited).signal).toBe("SIGSEGV");
  });

  test("[SAF-01] a program that ends when it is asked to may say goodbye", async () => {
    const { agent, lines } = await start(
      machine,
      `process.on("SIGTERM", () => { console.log("bye"); process.exit(0); }); console.log("up"); setInterval(() => {}, 1000)`,
      {
        graceMs: 10_000,
      },
    );
    await until(() => lines.includes("stdout: up"));
    expect((await agent.stop()).code).toBe(0);
    expect(lines).toContain("stdout: bye");
  });

  test("[SAF-01] a program that ignores SIGTERM is ended after its grace", async () => {
    const { agent, lines } = await start(machine, `process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)`);
    await until(() => lines.includes("stdout: up"));
    expect((await agent.stop()).signal).toBe("SIGKILL");
  });

  test("[SAF-21] a program that floods is bounded: shown up to one MiB, and its longest lines cut", async () => {
    const { agent, lines } = await start(
      machine,
      `
    process.stdout.write("x".repeat(50_000) + "\\n");
    for (let index = 0; index < 60_000; index += 1) process.stdout.write("line of a flood " + index + "\\n".repeat(1) + "y".repeat(40) + "\\n");
  `,
    );
    expect((await agent.exited).code).toBe(0);
    expect(lines[0]).toMatch(/^stdout: x{4000} … \(/);
    expect(lines.at(-1)).toBe("stdout: (more than 1 MiB of output; the rest is not shown)");
    expect(lines.reduce((sum, line) => sum + line.length, 0)).toBeLessThan(2_500_000);
  });
});

test("[SAF-21] a program that cannot be started is a problem with its name, not a crash", async () => {
  const { agent } = await start(bare, "", { command: ["/nowhere/agent"] });
  const exit = await agent.exited;
  expect(exit.code).toBeNull();
  expect(exit.problem).toMatch(/^\/nowhere\/agent cannot be started in .*ENOENT/);
  expect(await agent.stop()).toEqual(exit);
  const unprepared = unstartedAgent("/nowhere/agent", "/tmp", new Error("spawn /nowhere/agent ENOENT"));
  expect(await unprepared.stop()).toMatchObject({
    code: null,
    problem: "/nowhere/agent cannot be started in /tmp: spawn /nowhere/agent ENOENT",
  });
});

test("[SAF-01] children of a program end with it, also those that left its group", async () => {
  const folder = await mkdtemp(join(tmpdir(), "remit-agent-"));
  try {
    const pids = join(folder, "pids");
    const sleeper = `setInterval(() => {}, 1000)`;
    const { agent } = await start(
      bare,
      `
      const { spawn } = require("node:child_process");
      const child = spawn(process.execPath, ["--eval", ${JSON.stringify(sleeper)}], { stdio: "ignore" });
      const daemon = spawn(process.execPath, ["--eval", ${JSON.stringify(sleeper)}], { stdio: "ignore", detached: true });
      require("node:fs").writeFileSync(${JSON.stringify(pids)}, child.pid + " " + daemon.pid);
      process.exit(0);
    `,
    );
    expect((await agent.exited).code).toBe(0);
    const [child = 0, daemon = 0] = (await readFile(pids, "utf8")).split(" ").map(Number);
    await until(() => !isAlive(child));
    // Where there is no /proc a process that left the group cannot be found.
    if (process.platform === "linux") await until(() => !isAlive(daemon));
    else if (isAlive(daemon)) process.kill(daemon);
  } finally {
    await rm(folder, { recursive: true });
  }
});
