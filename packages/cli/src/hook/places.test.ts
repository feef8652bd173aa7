import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reachOf } from "./places.ts";

let workspace: string;

beforeAll(async () => {
  workspace = await realpath(await mkdtemp(join(tmpdir(), "remit-places-")));
  await mkdir(join(workspace, ".git/hooks"), { recursive: true });
  await mkdir(join(workspace, "src/.github/workflows"), { recursive: true });
  await writeFile(join(workspace, ".env"), "");
  await symlink(join(workspace, ".git"), join(workspace, "innocent"));
  await symlink("/etc", join(workspace, "src/conf"));
});
afterAll(async () => {
  await rm(workspace, { recursive: true });
});

const reach = (text: string, options: { glob?: boolean; sweeping?: boolean; protect?: string[] } = {}) =>
  reachOf([{ text, glob: options.glob ?? false }], [workspace], options.sweeping ?? false, { workspace, protect: options.protect ?? [] });

test.each([
  ".env",
  ".ENV",
  "./src/../.env",
  ".env.local",
  ".git/config",
  ".git/hooks/new",
  "innocent/hooks/pre-commit",
  "src/conf/passwd",
  "src/.github/workflows/new.yml",
  "deploy.pem",
  "sub/.remit/master.key",
  ".claude/settings.local.json",
  "/proc/1/environ",
])("[RUN-25] %s is protected, whatever it is called and whether it exists", (text) => {
  expect(reach(text).touchesProtected).toBe(true);
});

test.each(["src/main.ts", "README.md", "environment.ts", "src/git/log.ts", "docs/.envoy.md"])("%s is not protected, and inside", (text) => {
  expect(reach(text)).toMatchObject({ touchesProtected: false, outsideWorkspace: false });
});

test("[RUN-25] wildcards stand for what they match, and for the folder before them", () => {
  expect(reach(".e*", { glob: true }).touchesProtected).toBe(true);
  expect(reach(".git/hooks/*.new", { glob: true }).touchesProtected).toBe(true);
  expect(reach("src/*.ts", { glob: true }).touchesProtected).toBe(false);
});

test("[RUN-25] what sweeps a folder touches what is protected in it", () => {
  expect(reach(".").touchesProtected).toBe(false);
  expect(reach(".", { sweeping: true }).protectedPaths).toContain(join(workspace, ".env"));
});

test("[RUN-25] what lies below a hidden folder is protected as anywhere, and guarded by patterns with signs of their own", () => {
  for (const text of [".cursor/worktrees/one/.env", ".cache/a/.git/config", ".claude/worktrees/one/.git"])
    expect(reach(text).touchesProtected, text).toBe(true);
  for (const text of ["id_rsa.pub", "a+b.pem", "x/.config/gcloud/token"]) expect(reach(text).touchesProtected, text).toBe(true);
  for (const text of ["idxrsa", "apem", "x.config/gcloud"]) expect(reach(text).touchesProtected, text).toBe(false);
  expect(reach("src/a1.ts", { protect: ["src/a[0-9].ts"] }).touchesProtected).toBe(true);
  expect(reach("src/ab.ts", { protect: ["src/a[0-9].ts"] }).touchesProtected).toBe(false);
});

test("[RUN-25] a pattern that stands for more than can be looked at is taken for protected, and soon", () => {
  const names = Array.from({ length: 6_000 }, (_, index) => ({ text: `n${index}`, glob: false }));
  expect(reachOf(names, [workspace], false, { workspace, protect: [] }).touchesProtected).toBe(true);
  expect(reach("/*/*/*/*/*/*/x", { glob: true }).touchesProtected).toBe(true);
  // One folder, as in Bash: not every folder of the disk.
  expect(reach("**/x.ts", { glob: true }).touchesProtected).toBe(false);
});

test("more may be protected, and links lead outside", () => {
  expect(reach("src/main.ts", { protect: ["src/**"] }).touchesProtected).toBe(true);
  expect(reach("innocent/x").outsideWorkspace).toBe(false);
  expect(reach("src/conf/x").outsideWorkspace).toBe(true);
  expect(reach("../x").outsideWorkspace).toBe(true);
  expect(reach("/dev/null")).toEqual({ paths: [], protectedPaths: [], touchesProtected: false, outsideWorkspace: false });
});
