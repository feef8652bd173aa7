import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { repository } from "./citations.ts";

export interface Said {
  code: number;
  output: string;
}

export interface HouseCopy extends AsyncDisposable {
  write(file: string, text: string): Promise<void>;
  run(command: "tsc" | "oxlint" | "node", ...args: string[]): Promise<Said>;
}

const root = fileURLToPath(repository);

/** The pure floors with the real configuration, in a folder of their own: what is written here breaks nothing else. */
export async function copyHouse(): Promise<HouseCopy> {
  const folder = await mkdtemp(join(tmpdir(), "remit-walls-"));
  const modules = join(root, "node_modules");
  for (const file of ["package.json", "tsconfig.base.json", ".oxlintrc.json"]) await cp(join(root, file), join(folder, file));
  for (const name of ["contract", "core"]) {
    const isSource = (path: string) => !/[\\/](dist|node_modules)([\\/]|$)|\.test\.ts$/.test(path.slice(root.length));
    await cp(join(root, "packages", name), join(folder, "packages", name), { recursive: true, filter: isSource });
  }
  // The workspace links must lead to the copies, or the compiler would look at the originals.
  await mkdir(join(folder, "node_modules", "@remit"), { recursive: true });
  for (const name of await readdir(modules)) {
    if (name !== "@remit" && name !== ".bin") await symlink(join(modules, name), join(folder, "node_modules", name));
  }
  for (const name of ["contract", "core"]) await symlink(join(folder, "packages", name), join(folder, "node_modules", "@remit", name));
  await symlink(join(root, "packages", "server"), join(folder, "node_modules", "@remit", "server"));

  return {
    async write(file, text) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    },
    async run(command, ...args) {
      const program = command === "node" ? process.execPath : join(modules, ".bin", command);
      try {
        const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: folder });
        return { code: 0, output: stdout + stderr };
      } catch (error) {
        const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
        // A program that could not be started proves no wall.
        if (typeof code !== "number") throw error;
        return { code, output: stdout + stderr };
      }
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
