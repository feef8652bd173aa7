import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeptNote, Sink } from "./sink.ts";

const timeoutMs = 60_000;
const maxOutput = 512 * 1024;
const file = "checkpoint";

export type GitSinkOptions = {
  /** A repository on this machine, bare or not; it must exist. */
  repository: string;
  /** A branch of its own: nobody else is to write to it. */
  branch?: string;
  /** Where it is pushed to, by the name of a remote of that repository; nowhere without it. */
  remote?: string;
};

/**
 * A branch of a git repository with a commit for each checkpoint. It is written below git's commands for people: no file of a working copy is
 * touched, no hook is run, and the branch moves only from the commit that was read, so that nothing is ever rewritten.
 */
export function gitSink({ repository, branch = "remit-ledger", remote }: GitSinkOptions): Sink {
  const ref = `refs/heads/${branch}`;
  const git = (args: readonly string[], more: { input?: string; env?: Record<string, string> } = {}) => runGit(repository, args, more);

  async function head(): Promise<string | null> {
    const { code, out } = await git(["rev-parse", "--verify", "--quiet", `${ref}^{commit}`]);
    return code === 0 ? out.trim() : null;
  }

  async function must(args: readonly string[], more: { input?: string; env?: Record<string, string> } = {}): Promise<string> {
    const { code, out, said } = await git(args, more);
    if (code === 0) return out;
    throw new Error(`git ${args[0]} failed in ${repository}: ${said.trim() || `it exited with ${code}`}`);
  }

  async function push(): Promise<void> {
    // Never with force: where somebody else has moved the branch, that is found out and not undone.
    if (remote !== undefined) await must(["push", "--quiet", "--no-verify", "--", remote, `${ref}:${ref}`]);
  }

  return {
    place: `git:${repository}#${branch}`,
    async last() {
      await must(["rev-parse", "--git-dir"]);
      const commit = await head();
      if (commit === null) return null;
      return must(["cat-file", "blob", `${commit}:${file}`]);
    },
    async add({ note, size }: KeptNote) {
      const parent = await head();
      const blob = (await must(["hash-object", "-w", "--stdin"], { input: note })).trim();
      const scratch = await mkdtemp(join(tmpdir(), "remit-git-"));
      try {
        const env = { GIT_INDEX_FILE: join(scratch, "index") };
        await must(["read-tree", "--empty"], { env });
        await must(["update-index", "--add", "--cacheinfo", `100644,${blob},${file}`], { env });
        const tree = (await must(["write-tree"], { env })).trim();
        const message = `Checkpoint of ${size} entries\n`;
        const commit = (await must(["commit-tree", tree, ...(parent === null ? [] : ["-p", parent])], { input: message })).trim();
        await must(["update-ref", "-m", "remit checkpoint", ref, commit, parent ?? "0".repeat(commit.length)]);
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
      await push();
    },
  };
}

async function runGit(
  repository: string,
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: Record<string, string> },
): Promise<{ code: number | null; out: string; said: string }> {
  // No hook, no pager, no question, and no configuration of whoever happens to run the server.
  const fixed = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "commit.gpgSign=false",
    "-c",
    "core.fsync=all",
    "-c",
    "gc.auto=0",
    "-C",
    repository,
  ];
  const child = spawn("git", [...fixed, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      SSH_AUTH_SOCK: process.env["SSH_AUTH_SOCK"],
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_TERMINAL_PROMPT: "0",
      GIT_SSH_COMMAND: "ssh -o BatchMode=yes",
      GIT_AUTHOR_NAME: "Remit",
      GIT_AUTHOR_EMAIL: "remit@localhost",
      GIT_COMMITTER_NAME: "Remit",
      GIT_COMMITTER_EMAIL: "remit@localhost",
      LC_ALL: "C",
      ...env,
    },
  });
  const out: Buffer[] = [];
  let length = 0;
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length <= maxOutput) out.push(chunk);
    else child.kill("SIGKILL");
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said = `${said}${chunk.toString("utf8")}`.slice(0, 500);
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const ended = Promise.withResolvers<number | null>();
  child.once("error", ended.reject);
  child.once("close", ended.resolve);
  return { code: await ended.promise, out: Buffer.concat(out).toString("utf8"), said };
}
