import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { examineMachine } from "@remit/sandbox";
import { afterAll, expect, test } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import { startScriptedServer } from "./scripted-server.testing.ts";

/** A program of the sandbox's own tests, which tries to get out in every way that it knows, and says what came of each. */
const attemptsFile = fileURLToPath(new URL("../../../sandbox/src/attempts.fixture.ts", import.meta.url));

const machine = await examineMachine();
const folder = await realpath(await mkdtemp(join(tmpdir(), "remit-escape-")));
const home = join(folder, "home");
const registry = join(home, "registry");
const dataDir = join(registry, ".remit");
await mkdir(join(home, ".ssh"), { recursive: true });
await mkdir(join(registry, "agent"), { recursive: true });
await mkdir(dataDir);
await writeFile(join(registry, "remit.yaml"), "");
await writeFile(join(registry, "package.json"), "{}");
await writeFile(join(home, ".ssh/id_ed25519"), "a private key");
for (const name of ["master.key", "machine.key"]) await writeFile(join(dataDir, name), name);
const database = createServer((_request, response) => response.end("every row"));
database.listen(0, "127.0.0.1");
await once(database, "listening");
const socket = join(folder, ".s.PGSQL.5432");
const databaseSocket = createServer((_request, response) => response.end("every row"));
databaseSocket.listen(socket);
await once(databaseSocket, "listening");
const scripted = await startScriptedServer({ command: ["true"] });
scripted.items = 10;
// Processes of a run are found by its id when it ends: another test's run of the same id would end these.
scripted.run.id = "run_00000000000000000000000000000e5c";

afterAll(async () => {
  database.close();
  databaseSocket.close();
  await scripted.stop();
  await rm(folder, { recursive: true, force: true });
});

function agentRun(...args: string[]) {
  const around = testSurroundings({
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      AGENT_ENV: "staging",
      REMIT_CONFIG_DIR: "/nowhere",
      REMIT_DATA_DIR: dataDir,
      REMIT_URL: scripted.url,
      DATABASE_URL: "postgres://secret",
    },
    cwd: registry,
  });
  return { around, exit: runCommandLine(["run", "--workflow", "triage", "--json", "--registry", registry, ...args], around) };
}

function linesOf(out: string): Record<string, unknown>[] {
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("[CTL-20][CTL-22] an agent that tries to get around the gateway gets nowhere: no other network, no keys, no home, no other process", async ({
  skip,
}) => {
  if (machine.by === null) skip(`this machine contains nothing: ${machine.why}`);
  const gateway = Number(new URL(scripted.url).port);
  const { port } = database.address() as AddressInfo;
  const attempts = {
    read: [
      join(registry, "remit.yaml"),
      join(home, ".ssh/id_ed25519"),
      join(dataDir, "master.key"),
      join(dataDir, "machine.key"),
      `/proc/${process.pid}/environ`,
      `/proc/${process.ppid}/environ`,
    ],
    list: [home, join(home, ".ssh"), "/root", "/home", "/var/lib"],
    write: [join(registry, "remit.yaml"), join(registry, "agent/evil.ts"), join(home, "evil"), "/usr/bin/evil"],
    tcp: [
      { host: "127.0.0.1", port: gateway },
      { host: "127.0.0.1", port },
      { host: "169.254.169.254", port: 80 },
      { host: "1.1.1.1", port: 53 },
    ],
    unix: [socket, "/var/run/docker.sock", "/run/docker.sock", "/tmp/.s.PGSQL.5432"],
    signal: [process.pid, process.ppid],
  };
  const { around, exit } = agentRun("--", process.execPath, attemptsFile, JSON.stringify(attempts));
  expect({ exit: await exit, err: around.err() }).toEqual({ exit: 0, err: "" });
  const lines = linesOf(around.out());
  expect(lines.find(({ type }) => type === "agent-contained")).toMatchObject({
    containment: { by: machine.by, files: "declared", network: [`127.0.0.1:${gateway}`], endsBy: "kernel" },
  });
  const output = lines.find(({ type, line }) => type === "agent-output" && String(line).startsWith("{"));
  const got = JSON.parse(String(output?.["line"])) as Record<string, string>;
  const came = Object.entries(got).filter(([, what]) => !what.startsWith("no"));
  expect(came.map(([name]) => name).toSorted()).toEqual(
    [
      // What it is meant to have.
      `read ${join(registry, "remit.yaml")}`,
      `tcp 127.0.0.1:${gateway}`,
      "home",
      "scratch",
      // Into a /tmp of its own, where this test happens to have its home.
      `write ${join(home, "evil")}`,
      // A home folder of which nothing but the registry is there.
      `list ${home}`,
      // What only says how little it has.
      "capabilities",
      "environment of process 1",
      "interfaces",
      "no new privileges",
      "processes",
    ].toSorted(),
  );
  expect(got[`list ${home}`]).toBe("registry");
  expect(got["environment of process 1"]).not.toContain("postgres://secret");
  expect(existsSync(join(home, "evil"))).toBe(false);
  expect(scripted.asked.some((asked) => asked.includes(`"containment":{"by":"${machine.by}"`))).toBe(true);
});

test("[CTL-20] what whoever runs an agent allows besides is reached, by name", async ({ skip }) => {
  if (machine.by === null) skip(`this machine contains nothing: ${machine.why}`);
  const { port } = database.address() as AddressInfo;
  const script = `fetch("http://localhost:${port}").then((answer) => answer.text()).then(console.log)`;
  const { around, exit } = agentRun("--allow-host", `localhost:${port}`, "--", process.execPath, "--eval", script);
  expect(await exit).toBe(0);
  expect(linesOf(around.out())).toContainEqual(expect.objectContaining({ type: "agent-output", line: "every row" }));
  const refused = agentRun("--allow-host", "*.example.com", "--", "true");
  expect(await refused.exit).toBe(2);
  expect(refused.around.err()).toContain("--allow-host *.example.com: name a host, or host:port.");
});

test("[CTL-20] switched off, it says so", async () => {
  const { around, exit } = agentRun("--no-sandbox", "--", process.execPath, "--eval", "0");
  expect(await exit).toBe(0);
  expect(linesOf(around.out())).toContainEqual(
    expect.objectContaining({
      type: "agent-contained",
      containment: expect.objectContaining({ by: "nothing", network: "open", because: "it is switched off" }) as unknown,
    }),
  );
});
