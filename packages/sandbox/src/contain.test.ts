import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { heldLimits } from "./limits.ts";
import { uncontained } from "./machine.ts";
import { machinesHere, runContained, startContained } from "./sandbox.testing.ts";

const machines = await machinesHere();
const attemptsFile = fileURLToPath(new URL("./attempts.fixture.ts", import.meta.url));

const folder = await mkdtemp(join(tmpdir(), "remit-contain-"));
const dataDir = join(folder, "project/.remit");
await mkdir(dataDir, { recursive: true });
await mkdir(join(folder, "project/out"));
await mkdir(join(folder, "elsewhere"));
await writeFile(join(folder, "project/package.json"), "{}");
await writeFile(join(folder, "project/plan.txt"), "the plan");
await writeFile(join(dataDir, "master.key"), "the master key");
await writeFile(join(folder, "elsewhere/secret.txt"), "a secret");
const server = createHttpServer((_request, response) => response.end("from outside"));
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
const other = createHttpServer((_request, response) => response.end("not for you"));
other.listen(0, "127.0.0.1");
await once(other, "listening");
const otherPort = (other.address() as AddressInfo).port;
const unixSocket = join(folder, "elsewhere/docker.sock");
const daemon = createHttpServer((_request, response) => response.end("root on this machine"));
daemon.listen(unixSocket);
await once(daemon, "listening");

afterAll(async () => {
  for (const one of [server, other, daemon]) one.close();
  await rm(folder, { recursive: true, force: true });
});

describe.each(machines)("by $by", (machine) => {
  test("[CTL-20][CTL-22] a contained program reaches what is declared and nothing else, whatever it tries", async () => {
    const ssh = join(homedir(), ".ssh");
    const attempts = {
      read: [
        join(folder, "project/plan.txt"),
        join(dataDir, "master.key"),
        join(folder, "elsewhere/secret.txt"),
        "/etc/shadow",
        `/proc/${process.pid}/environ`,
        "/proc/1/root/etc/shadow",
        "/run/remit/net/../../../etc/shadow",
      ],
      list: [ssh, homedir(), join(folder, "elsewhere"), "/run", "/var", "/sys"],
      write: [join(folder, "project/plan.txt"), join(folder, "project/out/made.txt"), "/usr/made", "/etc/made", join(folder, "made.txt")],
      tcp: [
        { host: "127.0.0.1", port },
        { host: "127.0.0.1", port: otherPort },
        { host: "1.1.1.1", port: 443 },
        { host: "169.254.169.254", port: 80 },
      ],
      unix: [unixSocket, "/var/run/docker.sock", "/var/run/postgresql/.s.PGSQL.5432"],
      signal: [process.pid],
    };
    const { out, err, code, contained } = await runContained(machine, {
      command: process.execPath,
      args: [attemptsFile, JSON.stringify(attempts)],
      cwd: join(folder, "project"),
      baseDir: join(folder, "project"),
      hidden: [dataDir],
      sandbox: { write: ["out"] },
      reach: [{ host: "127.0.0.1", port }],
    });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const got = JSON.parse(out) as Record<string, string>;
    const allowed = Object.entries(got).filter(([, what]) => !what.startsWith("no"));
    expect(Object.fromEntries(allowed)).toEqual({
      [`read ${join(folder, "project/plan.txt")}`]: "the plan",
      [`write ${join(folder, "project/out/made.txt")}`]: "written",
      [`tcp 127.0.0.1:${port}`]: expect.stringMatching(/^HTTP\/1.1 200 /),
      interfaces: expect.stringMatching(/^Inter-.*lo: $/),
      processes: expect.stringMatching(/^[1-9]$/),
      home: expect.stringContaining("remit-box-"),
      scratch: "kept while it runs",
      capabilities: expect.stringMatching(/^0000000000000[04]00$/),
      "no new privileges": "1",
      "list /run": expect.stringMatching(/^(?:mount )?remit$/),
      // Its own, for the machine's process 1 is not there.
      "environment of process 1": expect.stringContaining("remit-box-"),
      // Into a /tmp of its own.
      [`write ${join(folder, "made.txt")}`]: "written",
    });
    expect(existsSync(join(folder, "made.txt"))).toBe(false);
    expect(await readFile(join(folder, "project/out/made.txt"), "utf8")).toBe("written");
    expect(existsSync(got["home"] ?? "")).toBe(false);
    expect(contained.containment).toEqual({
      by: machine.by,
      files: "declared",
      network: [`127.0.0.1:${port}`],
      endsBy: "kernel",
      limits: heldLimits(undefined),
      because: null,
    });
  });

  test("[CTL-20] a program may say goodbye when it is asked to end, and how it ended is told as without a sandbox", async () => {
    const script = `process.on("SIGTERM", () => { console.log("bye"); process.exit(5); }); console.log("up"); setInterval(() => {}, 1000);`;
    const polite = await startContained(machine, { command: process.execPath, args: ["--eval", script] });
    expect(await polite.line()).toBe("up");
    polite.contained.ask(polite.pid, "SIGTERM");
    expect(await polite.finished).toMatchObject({ code: 5, signal: null, out: "up\nbye\n" });
    const killed = await runContained(machine, { command: "sh", args: ["-c", "kill -SEGV $$"] });
    expect(killed).toMatchObject({ code: null, signal: "SIGSEGV" });
  });

  test("[CTL-20][CTL-22] when Remit is killed, a program that ignores everything ends with it, and what it started too", async () => {
    const mark = `contained-${machine.by ?? ""}-${process.pid}`;
    const killed = await killedKeeper(machine.by ?? "nothing", mark);
    expect(killed.before).toBeGreaterThanOrEqual(2);
    while ((await marked(mark)).length > 0) await delay(20);
  });

  test("[CTL-20] what a registration cannot have is refused before anything starts", async () => {
    const start = (sandbox: object) =>
      startContained(machine, {
        command: "true",
        args: [],
        cwd: join(folder, "project"),
        baseDir: join(folder, "project"),
        hidden: [dataDir],
        sandbox,
      });
    await expect(start({ read: [".remit"] })).rejects.toThrow("Remit's own data");
    await expect(start({ write: [".remit/../.remit"] })).rejects.toThrow("Remit's own data");
    await expect(start({ read: ["nowhere"] })).rejects.toThrow("names nowhere, which is not there");
    await expect(start({ read: ["/"] })).rejects.toThrow("the whole machine");
    await expect(start({ network: ["example.com:70000"] })).rejects.toThrow("no such port");
    await expect(startContained(machine, { command: "no-such-program", args: [] })).rejects.toThrow("ENOENT");
  });

  test("[CTL-20] variables that would change the launcher reach the program alone", async () => {
    const { out } = await runContained(machine, {
      command: "sh",
      args: ["-c", 'echo "$LD_PRELOAD:$NODE_OPTIONS:$PLAIN"'],
      // A loader that cannot load it would say so from every program of the launcher.
      env: { PATH: process.env["PATH"] ?? "", LD_PRELOAD: "", NODE_OPTIONS: "--no-such-option", PLAIN: "it's plain" },
      reach: [{ host: "127.0.0.1", port }],
    });
    expect(out).toBe(":--no-such-option:it's plain\n");
  });
});

test("[CTL-20] where nothing contains, a program that must be contained is not started, and others say that they are not", async () => {
  const nothing = uncontained("a test says so");
  const required = startContained(nothing, { command: "true", args: [], sandbox: { mode: "required" } });
  await expect(required).rejects.toThrow("requires containment, and this machine cannot contain it: a test says so");
  const plain = await runContained(nothing, { command: "sh", args: ["-c", "exit 3"] });
  expect(plain).toMatchObject({
    code: 3,
    contained: { containment: { by: "nothing", files: "everything", network: "open", endsBy: "watcher", because: "a test says so" } },
  });
});

test("[CTL-20] where nothing else contains, node's own permissions keep a node program to its files", async () => {
  const script = join(folder, "project/look.mjs");
  await writeFile(
    script,
    `import { readFileSync, writeFileSync } from "node:fs";
     import { spawnSync } from "node:child_process";
     const tries = [
       () => readFileSync(${JSON.stringify(join(folder, "project/plan.txt"))}, "utf8"),
       () => readFileSync(${JSON.stringify(join(dataDir, "master.key"))}, "utf8"),
       () => readFileSync(${JSON.stringify(join(folder, "elsewhere/secret.txt"))}, "utf8"),
       () => writeFileSync(${JSON.stringify(join(folder, "project/plan.txt"))}, "changed"),
       () => (writeFileSync(process.env.HOME + "/note", "note"), "noted"),
       () => spawnSync("id").status,
     ];
     for (const one of tries) try { console.log(one()); } catch (error) { console.log(error.code); }`,
  );
  const { out, contained } = await runContained(uncontained("a test"), {
    command: process.execPath,
    args: [script],
    cwd: join(folder, "project"),
    hidden: [dataDir],
  });
  const denied = "ERR_ACCESS_DENIED";
  expect(out.trim().split("\n")).toEqual(["the plan", denied, denied, denied, "noted", denied]);
  expect(contained.containment).toMatchObject({ by: "node-permissions", files: "declared", network: "open", endsBy: "watcher" });
});

test("[CTL-22] when Remit is killed, a watcher ends what nothing contains", async () => {
  const mark = `watched-${process.pid}`;
  const killed = await killedKeeper("nothing", mark);
  expect(killed.before).toBeGreaterThanOrEqual(2);
  while ((await marked(mark)).length > 0) await delay(20);
});

/** A process that has started a stubborn program, and is ended as nothing can prepare for. */
async function killedKeeper(by: string, mark: string): Promise<{ before: number }> {
  const keeper = spawn(process.execPath, [fileURLToPath(new URL("./keeper.fixture.ts", import.meta.url)), by, mark], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(keeper.stdout, "data");
  const before = (await marked(mark)).length;
  keeper.kill("SIGKILL");
  return { before };
}

/** Processes with that mark in their environment, of whatever world. */
async function marked(mark: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, "latin1").catch(() => "");
    if (environment.includes(`MARK=${mark}\0`)) found.push(Number(name));
  }
  return found;
}
