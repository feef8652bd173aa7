import { open, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";
import { readTarHeader, tarBlock } from "@remit/core";

/** Where a bundle goes: an archive as it comes, or a folder. It has its name only once it is whole. */
export async function writeBundle(pieces: AsyncIterable<Uint8Array>, out: string): Promise<{ bytes: number }> {
  await refuseTaken(out);
  const partial = `${out}.partial`;
  await rm(partial, { recursive: true, force: true });
  try {
    const bytes = out.endsWith(".tar") ? await writeArchive(pieces, partial) : await unpack(pieces, partial);
    if (!out.endsWith(".tar")) await rmdir(out).catch(() => {});
    await rename(partial, out);
    return { bytes };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

async function refuseTaken(out: string): Promise<void> {
  const taken = new RemitError("invalid-request", `${out} is there already: name another place with --output, or remove it`);
  const names = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw taken;
  });
  if (names.length > 0) throw taken;
}

async function writeArchive(pieces: AsyncIterable<Uint8Array>, path: string): Promise<number> {
  const file = await open(path, "wx", 0o600);
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      await file.write(piece);
      bytes += piece.length;
    }
  } finally {
    await file.close();
  }
  return bytes;
}

/** Names of a bundle's files: none of them leads out of the folder, wherever the archive comes from. */
const plainName = /^[A-Za-z][A-Za-z0-9-]*(?:\.[a-z]+){1,2}$/;

async function unpack(pieces: AsyncIterable<Uint8Array>, folder: string): Promise<number> {
  await mkdir(folder, { mode: 0o700 });
  let held: Uint8Array[] = [];
  let heldLength = 0;
  let bytes = 0;
  let current: { file: FileHandle; left: number; padding: number } | null = null;
  let isOver = false;

  /** So many bytes of what has come, if there are so many. */
  function take(length: number): Buffer | null {
    if (heldLength < length) return null;
    const all = Buffer.concat(held);
    held = [all.subarray(length)];
    heldLength -= length;
    return all.subarray(0, length);
  }

  async function advance(): Promise<boolean> {
    if (current === null) {
      const block = take(tarBlock);
      if (block === null || isOver) return false;
      const member = readTarHeader(block);
      if (member === "end") isOver = true;
      else if ("refused" in member) throw broken(member.refused);
      else if (!plainName.test(member.name)) throw broken(`a file with the name "${member.name}"`);
      else
        current = {
          file: await open(join(folder, member.name), "wx", 0o600),
          left: member.size,
          padding: (tarBlock - (member.size % tarBlock)) % tarBlock,
        };
      return true;
    }
    if (current.left > 0) {
      const content = take(Math.min(current.left, heldLength));
      if (content === null || content.length === 0) return false;
      await current.file.write(content);
      current.left -= content.length;
      bytes += content.length;
      return true;
    }
    if (take(current.padding) === null) return false;
    await current.file.close();
    current = null;
    return true;
  }

  try {
    for await (const piece of pieces) {
      held.push(piece);
      heldLength += piece.length;
      while (await advance());
    }
    if (!isOver) throw broken("no end: the rest of it is missing");
  } finally {
    await (current as { file: FileHandle } | null)?.file.close();
  }
  return bytes;
}

function broken(what: string): RemitError {
  return new RemitError("internal", `The server did not send a bundle: it holds ${what}`);
}
