import { createReadStream } from "node:fs";
import { lstat, open, readdir } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { bundleFiles, bundleParts } from "@remit/contract";
import type { BundlePart } from "@remit/contract";
import { readTarHeader, tarBlock } from "@remit/core";
import { Refusal, shown } from "./problems.ts";

/** The files of a bundle, whether it is a folder or an archive. Only plain files with the names of a bundle's files get in. */
export type BundleFiles = {
  names: readonly string[];
  /** Null: it is not there. */
  size(name: string): number | null;
  /** A whole small file. @throws Refusal where it is missing or larger. */
  read(name: string, most: number): Promise<Buffer>;
  stream(name: string): AsyncIterable<Buffer>;
  /** How many parts of this kind there are. @throws Refusal where a number is missing. */
  parts(kind: BundlePart): number;
};

type Place = { path: string; start: number; size: number };

const known: ReadonlySet<string> = new Set(Object.values(bundleFiles));
const partName = new RegExp(
  `^(?:${Object.entries(bundleParts)
    .map(([kind, ending]) => `${kind}-(?!000000)[0-9]{6}\\.${ending}`)
    .join("|")})$`,
);
const mostFiles = 100_000;

/** @throws Refusal for what is no bundle */
export async function openBundle(path: string): Promise<BundleFiles> {
  const at = await lstat(path).catch(() => null);
  if (at === null) throw new Refusal("incomplete", `There is nothing at ${path}`);
  if (at.isSymbolicLink()) throw new Refusal("tampered", `${path} is a symbolic link: name what it points to`);
  if (at.isDirectory()) return filesOf(await readFolder(path));
  if (!at.isFile()) throw new Refusal("tampered", `${path} is neither a folder nor a file`);
  return filesOf(await readArchive(path, at.size));
}

async function readFolder(folder: string): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  for (const name of await readdir(folder)) {
    allow(name, places, "folder");
    const path = join(folder, name);
    const at = await lstat(path);
    if (!at.isFile())
      throw new Refusal("tampered", `${name} is not a plain file but ${at.isSymbolicLink() ? "a symbolic link" : "something else"}`);
    places.set(name, { path, start: 0, size: at.size });
  }
  return places;
}

async function readArchive(path: string, length: number): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  const file = await open(path);
  try {
    for (let at = 0; ;) {
      const block = await readExactly(file, at, tarBlock);
      if (at === 0) refuseCompressed(block);
      if (block.length < tarBlock)
        throw new Refusal("incomplete", `The archive ends in the middle, after ${length} bytes: the rest is missing`);
      const member = readTarHeader(block);
      if (member === "end") break;
      if ("refused" in member) {
        throw new Refusal(
          "tampered",
          at === 0 ? `${path} is not a bundle: it begins with ${shown(member.refused)}` : `The archive holds ${shown(member.refused)}`,
        );
      }
      allow(member.name, places, "archive");
      const start = at + tarBlock;
      if (start + member.size > length) throw new Refusal("incomplete", `${member.name} is cut off: the rest of the archive is missing`);
      places.set(member.name, { path, start, size: member.size });
      at = start + Math.ceil(member.size / tarBlock) * tarBlock;
    }
  } finally {
    await file.close();
  }
  return places;
}

/** What is packed small may unpack to anything: the person who has it decides on that, and not the verifier. */
function refuseCompressed(block: Buffer): void {
  const magic = block.subarray(0, 4).toString("hex");
  const packed = magic.startsWith("1f8b")
    ? "gzip"
    : magic === "28b52ffd"
      ? "zstd"
      : magic === "504b0304"
        ? "zip"
        : magic.startsWith("425a68")
          ? "bzip2"
          : null;
  if (packed !== null)
    throw new Refusal(
      "incomplete",
      `It is compressed (${packed}), and the verifier does not unpack anything: unpack it, and verify what comes out`,
    );
}

function allow(name: string, places: ReadonlyMap<string, Place>, where: string): void {
  if (!known.has(name) && !partName.test(name)) {
    throw new Refusal("tampered", `The ${where} holds "${shown(name)}", which is no file of a bundle: nothing vouches for it`);
  }
  if (places.has(name)) throw new Refusal("tampered", `The ${where} holds two files with the name ${name}`);
  if (places.size >= mostFiles) throw new Refusal("tampered", `The ${where} holds more than ${mostFiles} files`);
}

async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function filesOf(places: ReadonlyMap<string, Place>): BundleFiles {
  function stream(name: string): AsyncIterable<Buffer> {
    const place = places.get(name);
    if (place === undefined) throw new Refusal("incomplete", `${name} is missing`);
    if (place.size === 0) return none();
    return createReadStream(place.path, { start: place.start, end: place.start + place.size - 1, highWaterMark: 1024 * 1024 });
  }
  return {
    names: [...places.keys()],
    size: (name) => places.get(name)?.size ?? null,
    stream,
    async read(name, most) {
      const size = places.get(name)?.size ?? 0;
      if (size > most) throw new Refusal("tampered", `${name} has ${size} bytes: more than ${most} are not read`);
      const chunks: Buffer[] = [];
      for await (const chunk of stream(name)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    parts(kind) {
      const numbers = [...places.keys()]
        .filter((name) => name.startsWith(`${kind}-`))
        .map((name) => Number(/[0-9]{6}/.exec(name)?.[0]))
        .sort((left, right) => left - right);
      const gap = numbers.findIndex((number, index) => number !== index + 1);
      if (gap >= 0) throw new Refusal("incomplete", `Part ${gap + 1} of the ${kind} is missing`);
      return numbers.length;
    },
  };
}

async function* none(): AsyncGenerator<Buffer> {}
