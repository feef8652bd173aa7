/*
 * A program that tries to get out: every attempt that its one argument (JSON) names, and what came of each, as JSON on stdout.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve4 } from "node:dns/promises";
import { connect } from "node:net";

type Attempts = {
  read: string[];
  write: string[];
  list: string[];
  tcp: { host: string; port: number }[];
  unix: string[];
  signal: number[];
};

const attempts = JSON.parse(process.argv[2] ?? "{}") as Attempts;
const got: Record<string, string> = {};

function attempt(name: string, work: () => unknown): void {
  try {
    got[name] = String(work()).slice(0, 200);
  } catch (error) {
    got[name] = `no: ${codeOf(error)}`;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

function reach(options: { host: string; port: number } | { path: string }): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ ...options, timeout: 2_000 });
    let said = "";
    socket.once("connect", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
    socket.on("data", (chunk) => {
      said += chunk.toString();
      socket.destroy();
    });
    socket.once("timeout", () => socket.destroy());
    socket.on("error", (error) => resolve(`no: ${codeOf(error)}`));
    socket.once("close", () => resolve(said === "" ? "no: closed" : said.slice(0, 200)));
  });
}

for (const path of attempts.read) attempt(`read ${path}`, () => readFileSync(path, "utf8"));
for (const path of attempts.list) attempt(`list ${path}`, () => readdirSync(path).join(" "));
for (const path of attempts.write) attempt(`write ${path}`, () => (writeFileSync(path, "written"), "written"));
for (const place of attempts.tcp) got[`tcp ${place.host}:${place.port}`] = await reach(place);
for (const path of attempts.unix) got[`unix ${path}`] = await reach({ path });
for (const pid of attempts.signal) attempt(`signal ${pid}`, () => process.kill(pid, 0));
got["dns"] = await resolve4("example.com").then(String, (error: unknown) => `no: ${codeOf(error)}`);
got["interfaces"] = existsSync("/proc/net/dev")
  ? readFileSync("/proc/net/dev", "utf8").replaceAll(/:.*/g, ":").replaceAll(/\s+/g, " ")
  : "";
got["processes"] = existsSync("/proc") ? String(readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length) : "0";
for (const [name, command] of [
  ["unshare", ["unshare", "--user", "--map-root-user", "true"]],
  ["setns", ["nsenter", "--target", "1", "--all", "true"]],
  ["mount", ["mount", "-t", "tmpfs", "tmpfs", "/tmp"]],
  ["remount", ["mount", "-o", "remount,bind,rw", "/usr"]],
  ["unmount", ["umount", "/proc/sys"]],
  ["chroot", ["chroot", "/tmp", "/true"]],
  ["loopback", ["ip", "link", "set", "lo", "down"]],
] as const) {
  const { status } = spawnSync(command[0], command.slice(1), { stdio: "ignore", timeout: 5_000 });
  got[name] = status === 0 ? "done" : "no";
}
for (const path of ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/user/max_user_namespaces"]) {
  // `test -w` asks without doing: these are the machine's own.
  got[`writable ${path}`] = spawnSync("test", ["-w", path]).status === 0 ? "yes" : "no";
}
attempt("memory of process 1", () => readFileSync("/proc/1/mem").length);
attempt("environment of process 1", () => readFileSync("/proc/1/environ", "latin1"));
attempt("capabilities", () => /CapEff:\s*(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
attempt("no new privileges", () => /NoNewPrivs:\s*(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
attempt("setuid program", () => execFileSync("su", ["-c", "id -u", "nobody"], { timeout: 5_000, stdio: ["ignore", "pipe", "ignore"] }));
attempt("home", () => process.env["HOME"]);
attempt("scratch", () => {
  writeFileSync(`${process.env["HOME"]}/note`, "kept while it runs");
  return readFileSync(`${process.env["HOME"]}/note`, "utf8");
});
console.log(JSON.stringify(got));
