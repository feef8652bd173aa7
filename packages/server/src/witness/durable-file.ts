import { randomBytes } from "node:crypto";
import { open, readFile, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";

/** The whole file or nothing, whenever the machine stops; once it resolves, the file is there also after a loss of power. */
export async function writeDurably(file: string, text: string, mode = 0o600): Promise<void> {
  const aside = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(aside, "wx", mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } catch (error) {
    await unlink(aside).catch(() => undefined);
    throw error;
  }
  const folder = await open(dirname(file), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Null where there is no such file. */
export async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
