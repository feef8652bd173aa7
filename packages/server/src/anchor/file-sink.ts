import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { z } from "zod";
import { lastSigned } from "./last-signed.ts";
import type { KeptNote, Sink } from "./sink.ts";

const lineSchema = z.object({ note: z.string() });
const tailBytes = 1024 * 1024;

/** A file that is only ever appended to: a line of JSON for each checkpoint. On a disk that others own, or one that is written once. */
export function fileSink(file: string): Sink {
  return {
    place: `file:${file}`,
    async last(origin, keys) {
      const lines = (await tail(file)).split("\n");
      const notes = lines.map(noteOf).filter((note) => note !== null);
      // Words that nobody can read are no reason to begin anew beside them.
      if (notes.length === 0 && lines.some((line) => line.trim() !== ""))
        throw new Error(`${file} holds no checkpoint, and something else; it is not added to`);
      return lastSigned(notes, origin, keys);
    },
    async add({ note }: KeptNote) {
      const handle = await open(file, "a", 0o644);
      try {
        // Half a line that a crash left is ended first: what comes after it can be read.
        const separator = (await endsInside(file)) ? "\n" : "";
        await handle.writeFile(`${separator}${JSON.stringify({ at: new Date().toISOString(), note })}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

function noteOf(line: string): string | null {
  try {
    const parsed = lineSchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data.note : null;
  } catch {
    return null;
  }
}

/** The end of the file, from the beginning of a line on. */
async function tail(file: string): Promise<string> {
  const bytes = await readEnd(file, tailBytes);
  const text = bytes.toString("utf8");
  return bytes.length < tailBytes ? text : text.slice(text.indexOf("\n") + 1);
}

async function endsInside(file: string): Promise<boolean> {
  const bytes = await readEnd(file, 1);
  return bytes.length > 0 && bytes.toString("latin1") !== "\n";
}

async function readEnd(file: string, length: number): Promise<Buffer> {
  let handle: FileHandle;
  try {
    handle = await open(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
  try {
    const { size } = await handle.stat();
    const count = Math.min(size, length);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, size - count);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
