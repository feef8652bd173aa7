import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { initialiseCluster, newPassword, owner } from "./cluster.ts";
import { findPostgres } from "./postgres-binaries.ts";
import type { ProcessUser } from "./process-user.ts";
import { postgresUser } from "./process-user.ts";

/** Where tests ask for the URL of the run's PostgreSQL: a Unix socket, which says it and hangs up. */
export const clusterVariable = "REMIT_TEST_CLUSTER";

/**
 * One PostgreSQL for a whole test run, started when the first test asks for it. It lives in a temporary folder, and a shell
 * stands between it and us that stops it and removes the folder when our end of a pipe closes, even if we are killed.
 */
export async function setup(): Promise<() => Promise<void>> {
  if (process.env["REMIT_TEST_DATABASE_URL"] !== undefined) return async () => {};
  const user = await postgresUser();
  const folder = await mkdtemp(join((await user.canEnter(tmpdir())) ? tmpdir() : "/tmp", "remit-test-"));
  await user.own(folder);

  let guardian: ChildProcess | undefined;
  let url: Promise<string> | undefined;
  const start = async () => {
    const cluster = await startCluster(folder);
    guardian = cluster.guardian;
    return cluster.url;
  };
  const server = createServer((socket) => {
    url ??= start();
    url.then(
      (text) => socket.end(text),
      (error: unknown) => socket.end(`failed: ${String(error)}`),
    );
    socket.on("error", () => {});
  });
  // The name of a socket may have about a hundred bytes; a temporary folder's name leaves room.
  const ask = join(folder, "ask");
  server.listen(ask);
  await once(server, "listening");
  process.env[clusterVariable] = ask;

  return async () => {
    server.close();
    await url?.catch(() => {});
    guardian ??= guard(user, folder, "true", []);
    guardian.stdin?.end();
    await once(guardian, "exit");
  };
}

async function startCluster(folder: string): Promise<{ url: string; guardian: ChildProcess }> {
  const user = await postgresUser();
  const cacheFolder = user.root ? "/var/cache/remit" : join(folder, "binaries");
  const [binaries] = await findPostgres({ user, cacheFolder });
  if (!binaries) throw new Error("no PostgreSQL binaries were found; install PostgreSQL or set REMIT_TEST_DATABASE_URL");
  const password = newPassword();
  // Durability across a power cut is not tested here, and a test database is made in a third of the time.
  const settings = ["listen_addresses=", "max_connections=300", "fsync=off", "synchronous_commit=off", "full_page_writes=off"];
  const guardian = guard(user, folder, join(binaries.folder, "postgres"), [
    "-D",
    join(folder, "data"),
    "-k",
    folder,
    ...settings.flatMap((setting) => ["-c", setting]),
  ]);
  await initialiseCluster(join(folder, "data"), binaries, user, password);
  guardian.stdin?.write("start\n");
  const url = `postgres://${owner}:${password}@localhost/postgres?host=${encodeURIComponent(folder)}`;
  await untilReady(url, guardian);
  return { url, guardian };
}

/** Runs a program after the first line of its input, and ends it and removes the folder at the end of its input. */
function guard(user: ProcessUser, folder: string, program: string, programArguments: string[]): ChildProcess {
  const script = `
    folder="$1"; shift
    if read -r line; then
      "$@" >"$folder/log" 2>&1 & child=$!
      read -r line
      kill -INT $child; wait $child
    fi
    rm -rf "$folder"`;
  return spawn("/bin/sh", ["-c", script, "remit-test-guardian", folder, program, ...programArguments], {
    ...user.spawn,
    // A session of its own: Ctrl-C ends the tests, and the end of the tests ends this.
    detached: true,
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
}

async function untilReady(url: string, guardian: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const client = new Client({ connectionString: url });
    client.on("error", () => {});
    const ready = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => {});
    if (ready) return;
    if (guardian.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the PostgreSQL of the test run did not start");
}
