import { execFile, spawn } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const root = resolve(import.meta.dirname, "../..");

export type Printed = { exit: number; out: string; err: string };

/** A folder with everything running in it, and another with nothing but the verifier. */
export type Workshop = AsyncDisposable & {
  /** `npm start`, until its runs have ended. @throws where it ends before */
  start(): Promise<{ runs: number }>;
  remit(...args: readonly string[]): Promise<Printed>;
  /** Builds the verifier, and lays it alone into an empty folder. */
  placeVerifier(): Promise<string>;
  /** Runs it there, with no environment but a PATH. */
  verify(...args: readonly string[]): Promise<Printed>;
  /** Where bundles go. */
  path(name: string): string;
};

export async function openWorkshop(): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), "remit-demo-"));
  // PostgreSQL may run as another user, who has to reach its data.
  await chmod(folder, 0o755);
  const empty = join(folder, "empty");
  await mkdir(empty);
  const env = {
    ...process.env,
    PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
    HOME: folder,
    REMIT_DATA_DIR: join(folder, "data"),
    NO_COLOR: "1",
  };
  let stop = async (): Promise<void> => {};

  const run = (command: string, args: readonly string[], options: { env: NodeJS.ProcessEnv; cwd: string }): Promise<Printed> =>
    new Promise((done) => {
      execFile(command, args, { ...options, maxBuffer: 64 * 1024 * 1024 }, (error, out, err) => {
        done({ exit: error === null ? 0 : typeof error.code === "number" ? error.code : -1, out, err });
      });
    });

  return {
    path: (name) => join(folder, name),
    remit: (...args) => run("remit", args, { env, cwd: folder }),
    verify: (...args) =>
      run(process.execPath, [join(empty, "remit-verify.mjs"), ...args], { env: { PATH: process.env["PATH"] ?? "" }, cwd: empty }),
    async placeVerifier() {
      const built = join(folder, "remit-verify.mjs");
      const { exit, err } = await run(process.execPath, [join(root, "packages/verifier/build.ts"), "--out", built], { env, cwd: root });
      if (exit !== 0) throw new Error(`The verifier could not be built: ${err}`);
      await cp(built, join(empty, "remit-verify.mjs"));
      return empty;
    },
    async start() {
      const child = spawn(process.execPath, [join(root, "scripts/start.ts"), "--json", "--port", "0"], {
        env,
        cwd: folder,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const exited = new Promise<void>((done) => void child.once("close", () => done()));
      stop = async () => {
        child.kill("SIGINT");
        await exited;
      };
      let errors = "";
      child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
      let runs = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        const event = JSON.parse(line) as { type: string };
        if (event.type === "run-ended") runs += 1;
        if (event.type !== "ready") continue;
        child.stdout.resume();
        return { runs };
      }
      throw new Error(`It ended before it was ready: ${errors}`);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
