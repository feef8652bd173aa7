import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { RemitError } from "@remit/contract";

/** What a frame holds: the header, the start of a table, its rows, the end of everything. */
export type FrameKind = "header" | "table" | "rows" | "end";

const letters: Record<FrameKind, number> = { header: 0x48, table: 0x54, rows: 0x52, end: 0x5a };
const kinds = new Map(Object.entries(letters).map(([kind, letter]) => [letter, kind as FrameKind]));
const longest = 64 * 1024 * 1024;

/** Writes frames: a letter, a length in four bytes, and so many bytes. The last one is the SHA-256 of all before it. Compressed. */
export function createArchiveWriter(output: Writable): {
  write(kind: FrameKind, payload: Uint8Array): Promise<void>;
  end(): Promise<void>;
} {
  const gzip = createGzip({ level: 1 });
  const written = pipeline(gzip, output);
  // Whoever writes next learns of it, and whoever ends.
  written.catch(() => undefined);
  const hash = createHash("sha256");

  async function write(kind: FrameKind, payload: Uint8Array): Promise<void> {
    const head = Buffer.alloc(5);
    head.writeUInt8(letters[kind], 0);
    head.writeUInt32BE(payload.length, 1);
    if (kind !== "end") hash.update(head).update(payload);
    gzip.write(head);
    if (!gzip.write(payload)) await Promise.race([once(gzip, "drain"), written]);
  }

  return {
    write,
    async end() {
      await write("end", hash.digest());
      gzip.end();
      await written;
    },
  };
}

/** Reads frames. @throws RemitError `invalid-request` at the end of one that was cut short or changed */
export async function* readArchive(input: Readable): AsyncGenerator<{ kind: FrameKind; payload: Buffer }> {
  const hash = createHash("sha256");
  const gunzip = createGunzip();
  const reading = pipeline(input, gunzip).catch((error: unknown) =>
    gunzip.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  let buffered: Buffer = Buffer.alloc(0);
  let isEnded = false;
  try {
    for await (const chunk of gunzip) {
      buffered = buffered.length === 0 ? (chunk as Buffer) : Buffer.concat([buffered, chunk as Buffer]);
      while (buffered.length >= 5) {
        const kind = kinds.get(buffered.readUInt8(0));
        const length = buffered.readUInt32BE(1);
        if (kind === undefined || length > longest || isEnded) throw damaged("it holds what no backup holds");
        if (buffered.length < 5 + length) break;
        const payload = buffered.subarray(5, 5 + length);
        if (kind === "end") {
          isEnded = true;
          if (!hash.digest().equals(payload)) throw damaged("its checksum is another");
        } else {
          hash.update(buffered.subarray(0, 5 + length));
          yield { kind, payload };
        }
        buffered = buffered.subarray(5 + length);
      }
    }
    await reading;
  } catch (error) {
    if (RemitError.is(error)) throw error;
    throw damaged(error instanceof Error ? error.message : String(error));
  }
  if (!isEnded) throw damaged("it ends too early");
}

function damaged(what: string): RemitError {
  return new RemitError("invalid-request", `The backup is damaged: ${what}. Nothing of it was restored; use another.`);
}
