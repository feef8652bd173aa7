import { createHash } from "node:crypto";
import { mkdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { RemitError } from "@remit/contract";
import { z } from "zod";

const keptSchema = z.object({ file: z.string(), original: z.base64(), rewritten: z.string() });

/** Replaces a file so that whoever reads it sees the old one or the new one, and keeps its mode. Links stay links. */
export async function replaceFile(file: string, bytes: Uint8Array): Promise<void> {
  const target = await realpath(file);
  const { mode } = await stat(target);
  const fresh = join(dirname(target), `.${basename(target)}.${process.pid}.remit`);
  try {
    await writeFile(fresh, bytes, { mode: mode & 0o777, flag: "wx" });
    await rename(fresh, target);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** Keeps a configuration as it was, byte for byte, before it is rewritten. It may hold secrets, and stays readable to its owner alone. */
export async function keepOriginal(folder: string, file: string, original: Uint8Array, rewritten: Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const kept = { file: await realpath(file), original: Buffer.from(original).toString("base64"), rewritten: digest(rewritten) };
  await writeFile(await placeOf(folder, file), JSON.stringify(kept), { mode: 0o600 });
}

/** @throws RemitError `not-found` | `conflict` */
export async function restoreOriginal(folder: string, file: string, force: boolean): Promise<void> {
  const place = await placeOf(folder, file);
  let kept: z.infer<typeof keptSchema>;
  try {
    kept = keptSchema.parse(JSON.parse(await readFile(place, "utf8")));
  } catch (error) {
    throw new RemitError("not-found", `${file} was not wrapped from here, or what it was has been lost.`, { cause: error });
  }
  const now = await readFile(file);
  if (digest(now) !== kept.rewritten && !force) {
    throw new RemitError("conflict", `${file} was changed since it was wrapped; with --force these changes are lost.`);
  }
  await replaceFile(file, Buffer.from(kept.original, "base64"));
  await rm(place);
}

/** Null: it was not wrapped from here. */
export async function isWrapped(folder: string, file: string): Promise<boolean> {
  try {
    await stat(await placeOf(folder, file));
    return true;
  } catch {
    return false;
  }
}

async function placeOf(folder: string, file: string): Promise<string> {
  return join(folder, `${digest(Buffer.from(await realpath(file)))}.json`);
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
