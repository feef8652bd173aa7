import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTestDatabase } from "@remit/server/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import { serve } from "../up/serve.ts";

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "remit-init-")));
});
afterEach(() => rm(folder, { recursive: true }));

async function remit(...args: string[]) {
  const around = testSurroundings({ cwd: folder, env: { HOME: folder, USER: "Ada L." } });
  const exit = await runCommandLine(args, around);
  return { exit, out: around.out(), err: around.err() };
}

const input = `{ client: c, session: s, workspace: /w, paths: [/w/a], protectedPaths: [], touchesProtected: false, outsideWorkspace: false, linesChanged: 1, change: x }`;
const inProduction = `cases:
  - name: it waits
    agent: coder
    environment: production
    tool: coding__file.edit
    input: ${input}
    expect: { verdict: require-approval, approvals: [approvers], policies: [guard.production] }
  - name: and is done
    agent: coder
    environment: production
    tool: coding__file.edit
    approvals: [approvers]
    input: ${input}
    expect: { verdict: allow }
`;

test("[CTL-34] a registry is begun by one command: it is applied without a remark, and its policies are tested", async () => {
  // Names that YAML would read as something else than text.
  const made = await remit("init", "gov", "--colleague", "null", "--organisation", "007", "--json");
  expect(made).toMatchObject({ exit: 0 });
  expect(JSON.parse(made.out)).toMatchObject({ organisation: "007", person: "ada-l", colleague: "null", dryRun: false });

  await using database = await openTestDatabase();
  const serving = await serve({
    dataDir: join(folder, ".remit"),
    host: "127.0.0.1",
    port: 0,
    databaseUrl: database.url,
    registryDir: join(folder, "gov"),
    logLevel: "silent",
  });
  try {
    const planned = await remit("plan", "gov", "--json");
    expect(planned).toMatchObject({ exit: 0 });
    expect(JSON.parse(planned.out)).toMatchObject({ warnings: [] });
    const applied = await remit("apply", "gov", "--yes");
    expect(applied.err + applied.out).toContain("Applied");
    const linted = await remit("policy", "lint", "gov", "--json");
    expect(JSON.parse(linted.out)).toEqual({ findings: [] });
    const tested = await remit("policy", "test", "gov", "--json");
    expect(JSON.parse(tested.out)).toMatchObject({ failed: 0, passed: 10 });

    // Its guard holds for an agent that is let into production later.
    const agent = join(folder, "gov/agents/coder.yaml");
    const text = await readFile(agent, "utf8");
    await writeFile(agent, text.replace("tier: 2", "tier: 3").replace("  - dev\n", "  - dev\n  - production\n"));
    await writeFile(join(folder, "gov/policies/coding/coding.test.yaml"), inProduction);
    const guarded = await remit("policy", "test", "gov", "--json");
    expect(JSON.parse(guarded.out)).toMatchObject({ failed: 0, passed: 2 });
  } finally {
    await serving.stop();
  }
});

test("[CTL-34] it writes over nothing, and alone nobody begins", async () => {
  await writeFile(join(folder, "remit.yaml"), "mine\n");
  expect(await remit("init", ".", "--colleague", "ben")).toMatchObject({ exit: 1, err: expect.stringContaining("remit.yaml already") });
  expect(await readFile(join(folder, "remit.yaml"), "utf8")).toBe("mine\n");
  expect(await remit("init", "new")).toMatchObject({ exit: 2 });
  expect(await remit("init", "new", "--colleague", "ada-l")).toMatchObject({ exit: 2, err: expect.stringContaining("somebody else") });
  expect(await remit("init", "new", "--colleague", "ben", "--time-zone", "Mars/Base")).toMatchObject({ exit: 2 });
  expect(await remit("init", "new", "--colleague", "ben", "--dry-run")).toMatchObject({ exit: 0, out: expect.stringContaining("Would") });
  expect(await readdir(folder)).toEqual(["remit.yaml"]);
});
