import { execFile, spawn } from "node:child_process";
import { open, readFile, readlink, realpath, rename, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { RemitError } from "@remit/contract";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import type { ProcessUser } from "./process-user.ts";

const execute = promisify(execFile);

/** The server process of a cluster, as its `postmaster.pid` names it. */
export type Postmaster = {
  pid: number;
  port: number;
  /** The folder of its socket; null where it has none. */
  socketFolder: string | null;
};

/** Null: no file. It says nothing of whether that process is alive. */
export async function readPostmaster(cluster: string): Promise<Postmaster | null> {
  const lines = (await readFile(join(cluster, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 0 ? { pid, port: Number(lines[3]), socketFolder: lines[4] || null } : null;
}

/**
 * Is this process a PostgreSQL server on this very cluster? A process id alone proves nothing: after a restart of the machine
 * or container the same number is often somebody else, even ourselves, and PostgreSQL itself would then refuse to start.
 */
export async function isPostmaster(pid: number, cluster: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  if (folder !== null) return folder === (await realpath(cluster));
  const shown = await execute("ps", ["-o", "command=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
  return shown.stdout.includes("postgres") && shown.stdout.includes(cluster);
}

/** Of any program. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

export type StartOptions = { cluster: string; binaries: PostgresBinaries; user: ProcessUser; port: number; logFile: string };

/** Longer addresses of sockets are not bound by every system. Bytes. */
const maxSocketPath = 100;

/** In the cluster's own folder, which nobody else may enter; none where the path would be too long. */
function socketFolderOf(cluster: string): string {
  return Buffer.byteLength(join(cluster, ".s.PGSQL.65535.lock")) <= maxSocketPath ? cluster : "";
}

/** Starts the server, on loopback and a socket alone, and lets it outlive this process. `ended` says when it has ended, and how. */
export async function startPostmaster({ cluster, binaries, user, port, logFile }: StartOptions): Promise<{ ended: Promise<string> }> {
  await rotate(logFile);
  const log = await open(logFile, "a", 0o600);
  const settings = [
    `port=${port}`,
    "listen_addresses=127.0.0.1",
    // A socket costs both sides less than TCP does.
    `unix_socket_directories=${/[",\s]/.test(cluster) ? "" : socketFolderOf(cluster)}`,
    "max_connections=200",
    "fsync=on",
    // As durable as the default there (fdatasync), in one system call for each commit in place of two.
    ...(process.platform === "linux" ? ["wal_sync_method=open_datasync"] : []),
    "timezone=UTC",
    "log_timezone=UTC",
  ];
  try {
    const child = spawn(join(binaries.folder, "postgres"), ["-D", cluster, ...settings.flatMap((setting) => ["-c", setting])], {
      ...user.spawn,
      // A session of its own, so that Ctrl-C reaches Remit, which then stops it in the right order.
      detached: true,
      cwd: "/",
      env: { PATH: process.env["PATH"] ?? "", LC_MESSAGES: "C" },
      stdio: ["ignore", log.fd, log.fd],
    });
    child.unref();
    const ended = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    return { ended };
  } finally {
    await log.close();
  }
}

/** Fast shutdown: sessions are ended, everything is written, the process is gone when this resolves. */
export async function stopPostmaster(pid: number, cluster: string): Promise<void> {
  for (const [signal, seconds] of [
    ["SIGINT", 30],
    ["SIGQUIT", 10],
  ] as const) {
    if (!(await isPostmaster(pid, cluster))) return;
    process.kill(pid, signal);
    for (let waited = 0; waited < seconds * 1_000; waited += 20) {
      if (!(await isPostmaster(pid, cluster))) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new RemitError("database-unavailable", `PostgreSQL (process ${pid}) does not stop.`);
}

/** A port of loopback that nobody listens on at this moment; the preferred one if it is free. */
export async function freePort(preferred = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => (preferred === 0 ? reject(error) : resolve(freePort())));
    server.listen(preferred, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** The last lines of the server's log: what it says of not starting. */
export async function logTail(logFile: string, lines = 12): Promise<string> {
  const text = await readFile(logFile, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}

async function rotate(logFile: string): Promise<void> {
  const size = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  );
  if (size > 10_000_000) await rename(logFile, `${logFile}.1`);
}
