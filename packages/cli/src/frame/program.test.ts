import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { changeContexts, configDir, readContexts } from "../context/context-store.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import { commands } from "./commands.ts";
import { runCommandLine } from "./program.ts";

const bin = join(import.meta.dirname, "../../bin");

async function folder() {
  const path = await mkdtemp(join(tmpdir(), "remit-cli-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

async function remit(args: readonly string[], options: Parameters<typeof testSurroundings>[0] = {}) {
  const around = testSurroundings({
    ...options,
    env: { REMIT_CONFIG_DIR: "/nowhere", REMIT_URL: "http://127.0.0.1:61999", ...options.env },
  });
  const exit = await runCommandLine(args, around);
  return { exit, out: around.out(), err: around.err() };
}

test("how it was called wrongly is said once, with what to do, and exits 2", async () => {
  expect(await remit(["aprovals"])).toEqual({
    exit: 2,
    out: "",
    err: "error: unknown command 'aprovals'. Did you mean approvals? (invalid-request)\n",
  });
  expect((await remit(["approvals", "shwo", "apr_1"])).err).toContain("Did you mean show?");
  expect((await remit(["runs", "list", "--sate", "running"])).err).toContain("Did you mean --state?");
  expect((await remit(["halt", "on"])).err).toContain("required option '--reason <text>' not specified");
});

test("with --json a failure is one JSON document on stderr, and stdout stays empty", async () => {
  const { exit, out, err } = await remit(["runs", "list", "--json"]);
  expect([exit, out]).toEqual([3, ""]);
  expect(JSON.parse(err)).toEqual({
    error: {
      code: "server-unavailable",
      message: "No server answers at http://127.0.0.1:61999 (ECONNREFUSED).",
      exit: 3,
      issues: [],
      next: "start a server with: remit up, or name one with --url",
    },
  });
  expect(JSON.parse((await remit(["rnus", "--json"])).err)).toMatchObject({ error: { code: "invalid-request", exit: 2 } });
});

/** The names under "Commands:" of a command's help. */
function subcommands(help: string): string[] {
  const [, listed = ""] = help.split(/^Commands:\n/m);
  return [...listed.matchAll(/^ {2}([a-z][a-z-]*)\b/gm)].map(([, name = ""]) => name).filter((name) => name !== "help");
}

test("every command explains itself, and has an example or belongs to one that has", async () => {
  const unexplained: string[] = [];
  let leaves = 0;
  const look = async (words: string[], isShownAbove: boolean): Promise<void> => {
    const { exit, out } = await remit([...words, "--help"]);
    expect([words, exit, out]).toEqual([words, 0, expect.stringContaining(`Usage: remit ${words.join(" ")}`)]);
    const below = subcommands(out);
    const isShown = isShownAbove || /Examples?:\n {2}\$ \w/.test(out);
    for (const name of below) await look([...words, name], isShown);
    if (below.length > 0) return;
    leaves += 1;
    if (!isShown) unexplained.push(words.join(" "));
  };
  for (const { name } of commands) await look([name], false);
  expect(leaves).toBeGreaterThan(80);
  expect(unexplained).toEqual([]);
});

test("[RUN-01] the commands on the PATH find the project's Node, whatever Node the PATH has, and need not load a server", async () => {
  await using old = await folder();
  await writeFile(join(old.path, "node"), "#!/bin/sh\necho an older node >&2; exit 9\n");
  await chmod(join(old.path, "node"), 0o755);
  const env = { PATH: `${old.path}:/usr/bin:/bin`, NO_COLOR: "1" };
  const help = await promisify(execFile)(join(bin, "remit"), ["--help"], { env });
  expect(help.stdout).toContain("Usage: remit");
  expect((await promisify(execFile)(join(bin, "agent-run"), ["--help"], { env })).stdout).toContain("Usage: remit run");
});

test("sessions are kept for their owner only, and a file that others can read is not used", async () => {
  await using home = await folder();
  const around = { env: { REMIT_CONFIG_DIR: join(home.path, "config") }, cwd: "/" };
  const context = { url: "http://127.0.0.1:61999", token: "t", party: "sam", expiresAt: "2026-11-21T10:00:00.000Z" };
  await changeContexts(around, (contexts) => ({ ...contexts, default: context }));
  const file = join(home.path, "config/contexts.json");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readContexts(around)).toEqual({ default: context });
  await chmod(file, 0o644);
  const { exit, err } = await remit(["whoami"], { env: around.env });
  expect(exit).toBe(2);
  expect(err).toContain("can be read by others: chmod 600");
});

test("sessions of a checkout stay with its data folder", async () => {
  await using home = await folder();
  await mkdir(join(home.path, "project/.remit"), { recursive: true });
  await mkdir(join(home.path, "project/deep/er"), { recursive: true });
  const around = (cwd: string) => ({ env: { HOME: home.path }, cwd: join(home.path, cwd) });
  expect(await configDir(around("project/deep/er"))).toBe(join(home.path, "project/.remit/config"));
  expect(await configDir(around("."))).toBe(join(home.path, ".config/remit"));
});

test("[SAF-21] a session's token goes to its own server only, and follows nobody elsewhere", async () => {
  const seen: string[] = [];
  const http = createServer((request, response) => {
    seen.push(request.headers.authorization ?? "none");
    response.writeHead(302, { location: "http://127.0.0.1:61999/" }).end();
  });
  await new Promise<void>((listening) => http.listen(0, "127.0.0.1", listening));
  try {
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    await using home = await folder();
    const env = { REMIT_CONFIG_DIR: home.path };
    const context = { url, token: "secret", party: "sam", expiresAt: "2026-11-21T10:00:00.000Z" };
    await changeContexts({ env, cwd: "/" }, () => ({ default: { ...context, url: "http://127.0.0.1:61999" } }));
    await remit(["whoami", "--url", url], { env });
    await changeContexts({ env, cwd: "/" }, () => ({ default: context }));
    expect((await remit(["whoami", "--url", url], { env })).exit).toBe(3);
    expect(seen).toEqual(["none", "Bearer secret"]);
    expect((await remit(["api", "GET", "//evil.example/"], { env: { ...env, REMIT_URL: url } })).exit).toBe(2);
    expect(seen).toHaveLength(2);
  } finally {
    http.closeAllConnections();
    http.close();
  }
});

test("a context that does not exist is no other one", async () => {
  const { exit, err } = await remit(["whoami", "--context", "mara"]);
  expect(exit).toBe(4);
  expect(err).toContain('There is no context "mara" here.');
});
