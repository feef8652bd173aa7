import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { heldLimits, limitLines, processesHeldBy } from "./limits.ts";
import { machinesHere, runContained } from "./sandbox.testing.ts";

const machines = await machinesHere();
const folder = await mkdtemp(join(tmpdir(), "remit-limits-"));
await mkdir(join(folder, "project/packages/web"), { recursive: true });
await mkdir(join(folder, "project/.git"));
await writeFile(join(folder, "project/package.json"), "{}");
await writeFile(join(folder, "project/.env"), "TOKEN=of the project");
await writeFile(join(folder, "project/.env.example"), "TOKEN=");
await writeFile(join(folder, "project/packages/web/.env.production"), "TOKEN=of production");
await writeFile(join(folder, "project/.git/config"), "[remote] https://token@example.com");
await writeFile(join(folder, "project/plan.txt"), "the plan");
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A script that is given to `sh`; what it prints is what it got. */
const shell = (script: string) => ({
  command: "/bin/sh",
  args: ["-c", script],
  cwd: join(folder, "project"),
  baseDir: join(folder, "project"),
});

describe.each(machines)("[CTL-20] how much a contained program takes, by $by", (machine) => {
  test("no more processes than it may, however it forks; the machine's own bound is as it was", async () => {
    const before = await readFile("/proc/sys/kernel/pid_max", "utf8");
    const script = "i=0; while [ $i -lt 600 ]; do sleep 60 & i=$((i + 1)); done 2>/dev/null; echo started $i";
    const { out, contained } = await runContained(machine, { ...shell(script), sandbox: { limits: { ...declared, processes: 301 } } });
    expect(await readFile("/proc/sys/kernel/pid_max", "utf8")).toBe(before);
    if (contained.containment.limits?.processes === null) return console.warn("this machine does not hold the number of processes");
    // dash gives up at the first fork that fails.
    expect(out).not.toContain("started 600");
    expect(contained.containment.limits).toMatchObject({ processes: 301 });
  });

  test("no file larger than it may write, no more memory, no more open files; and none of it can be raised", async () => {
    const script = `
      cd "$HOME"
      dd if=/dev/zero of=large bs=1M count=8 2>/dev/null; echo "file $(wc -c <large)"
      ulimit -f unlimited 2>/dev/null && echo "raised"
      prlimit --pid $$ --fsize=unlimited 2>/dev/null && echo "raised by prlimit"
      exec 2>/dev/null
      echo "files $(ulimit -n)"`;
    const { out } = await runContained(machine, { ...shell(script), sandbox: { limits: { ...declared, fileMb: 2, openFiles: 100 } } });
    expect(out.split("\n").filter((line) => line !== "")).toEqual(["file 2097152", "files 100"]);
    const greedy = "const all = []; for (;;) all.push(Buffer.alloc(16 * 1024 * 1024, 1))";
    const { code, signal } = await runContained(machine, {
      ...shell(""),
      command: process.execPath,
      args: ["-e", greedy],
      sandbox: { limits: { ...declared, memoryMb: 512 } },
    });
    expect({ code, signal }).not.toEqual({ code: 0, signal: null });
  });

  test("its time on the processor, where that is declared", async () => {
    const { code, signal, contained } = await runContained(machine, {
      ...shell("while :; do :; done"),
      sandbox: { limits: { ...declared, cpuSeconds: 1 } },
    });
    expect(contained.containment.limits).toMatchObject({ cpuSeconds: 1 });
    expect({ code, signal }).not.toEqual({ code: 0, signal: null });
  });

  test("what it is given by default is enough for a program of Node's with all that it starts", async () => {
    const { out, code } = await runContained(machine, {
      ...shell(""),
      command: process.execPath,
      args: [
        "-e",
        "const { execFileSync } = require('node:child_process'); console.log(execFileSync(process.execPath, ['-p', '6 * 7']).toString())",
      ],
    });
    expect({ out: out.trim(), code }).toEqual({ out: "42", code: 0 });
  });

  test("[CTL-22] what its project keeps to itself is covered where that is asked for, and shown where it is declared", async () => {
    const script = "cat .env .env.example packages/web/.env.production .git/config plan.txt 2>/dev/null; ls -A .git 2>/dev/null; true";
    const covered = await runContained(machine, { ...shell(script), withholdPrivate: true });
    expect(covered.out).toBe("TOKEN=the plan");
    const within = await runContained(machine, {
      ...shell(`echo stolen >.env; echo changed >.git/config; ${script}`),
      withholdPrivate: true,
      sandbox: { write: ["."] },
    });
    expect(within.out).not.toMatch(/of the project|of production|token@example/);
    expect(await readFile(join(folder, "project/.env"), "utf8")).toBe("TOKEN=of the project");
    expect(await readFile(join(folder, "project/.git/config"), "utf8")).toContain("token@example");
    const shown = await runContained(machine, { ...shell(script), withholdPrivate: true, sandbox: { read: [".env"] } });
    expect(shown.out).toBe("TOKEN=of the projectTOKEN=the plan");
    const plain = await runContained(machine, shell(script));
    expect(plain.out).toContain("token@example");
  });
});

const declared = { memoryMb: 4_096, processes: 1_024, fileMb: 1_024, openFiles: 4_096 };

describe("[CTL-20] what holds the number of processes", () => {
  test.each([
    ["6.18.1", 0, "world"],
    ["6.14.0-rc1", 1_000, "world"],
    ["6.13.9", 0, null],
    ["6.1.0-18-amd64", 1_000, "user"],
    ["5.14.0", 1_000, "user"],
    ["5.10.0", 1_000, null],
    ["nonsense", 0, null],
  ] as const)("Linux %s, as user %i: %s", (kernel, uid, by) => {
    expect(processesHeldBy(kernel, uid)).toBe(by);
    expect(heldLimits(undefined, by).processes).toBe(by === null ? null : 1_024);
    // On an older kernel that file is the machine's own, and must not be touched.
    expect(limitLines(heldLimits(undefined, by), "/proc", by).includes("pid_max")).toBe(by === "world");
  });
});
