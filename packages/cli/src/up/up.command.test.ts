import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";

const remit = join(import.meta.dirname, "../../bin/remit");

test("[CTL-06][SAF-21] a server is up until Ctrl-C, is found by commands beside its data folder, and leaves nothing behind; its master key is replaced", async () => {
  const folder = await mkdtemp(join(tmpdir(), "remit-up-"));
  // PostgreSQL may run as another user, who has to reach its data.
  await chmod(folder, 0o755);
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder };
  const up = () => spawn(remit, ["up", "--port", "0", "--json"], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  const readiness = async (started: ReturnType<typeof up>) => {
    const [line] = (await once(started.stdout, "data")) as [Buffer];
    return JSON.parse(line.toString()) as { type: string; url: string };
  };
  let server = up();
  try {
    const ready = await readiness(server);
    expect(ready.type).toBe("ready");

    const around = testSurroundings({ cwd: folder, env });
    expect(await runCommandLine(["doctor"], around)).toBe(0);
    expect(around.out()).toContain(`${ready.url} is ready`);

    const second = testSurroundings({ cwd: folder, env });
    expect(await runCommandLine(["up", "--port", new URL(ready.url).port, "--data-dir", join(folder, "other")], second)).toBe(1);
    expect(second.err()).toContain("is taken");

    const early = testSurroundings({ cwd: folder, env });
    expect(await runCommandLine(["master-key", "rotate"], early)).toBe(1);
    expect(early.err()).toContain("Stop them first");

    server.kill("SIGINT");
    expect(await once(server, "exit")).toEqual([0, null]);
    await expect(access(join(folder, ".remit/server.json"))).rejects.toThrow("ENOENT");
    const after = testSurroundings({ cwd: folder, env });
    expect(await runCommandLine(["doctor"], after)).toBe(1);
    expect(after.out()).toContain("Start one with: remit up");

    // Between two starts everything is sealed with another key, and only that one opens it.
    const rotating = testSurroundings({ cwd: folder, env });
    expect(await runCommandLine(["master-key", "rotate"], rotating)).toBe(0);
    expect(rotating.out()).toMatch(/\d+ values are sealed with master key 2/);
    const kept = (await readdir(join(folder, ".remit"))).filter((file) => file.startsWith("master.key.until-"));
    expect(kept).toHaveLength(1);
    server = up();
    expect((await readiness(server)).type).toBe("ready");
    server.kill("SIGINT");
    expect(await once(server, "exit")).toEqual([0, null]);
  } finally {
    server.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
});
