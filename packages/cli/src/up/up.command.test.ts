import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";

const remit = join(import.meta.dirname, "../../bin/remit");

test("[SAF-21] a server is up until Ctrl-C, is found by commands beside its data folder, and leaves nothing behind", async () => {
  const folder = await mkdtemp(join(tmpdir(), "remit-up-"));
  // PostgreSQL may run as another user, who has to reach its data.
  await chmod(folder, 0o755);
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder };
  const server = spawn(remit, ["up", "--port", "0", "--json"], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [line] = (await once(server.stdout, "data")) as [Buffer];
    const ready = JSON.parse(line.toString()) as { type: string; url: string };
    expect(ready.type).toBe("ready");

    const around = testSurroundings({ cwd: folder, env });
    expect(await runCommandLine(["doctor"], around)).toBe(0);
    expect(around.out()).toContain(`${ready.url} is ready`);

    const second = testSurroundings({ cwd: folder, env });
    expect(await runCommandLine(["up", "--port", new URL(ready.url).port, "--data-dir", join(folder, "other")], second)).toBe(1);
    expect(second.err()).toContain("is taken");

    server.kill("SIGINT");
    expect(await once(server, "exit")).toEqual([0, null]);
    await expect(access(join(folder, ".remit/server.json"))).rejects.toThrow("ENOENT");
    const after = testSurroundings({ cwd: folder, env });
    expect(await runCommandLine(["doctor"], after)).toBe(1);
    expect(after.out()).toContain("Start one with: remit up");
  } finally {
    server.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
});
