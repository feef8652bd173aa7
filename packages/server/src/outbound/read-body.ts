import { pipeline } from "node:stream";
import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

export type BodyReading = { type: "read"; body: Buffer } | { type: "too-large" } | { type: "encoding" };

const decoders = { gzip: createGunzip, "x-gzip": createGunzip, deflate: createInflate, br: createBrotliDecompress } as const;

/**
 * Reads a body and decompresses it, and stops at the first byte too many on either side of the decompressor: nothing that is small on
 * the wire becomes large in memory. Compression upon compression is refused.
 */
export async function readBody(source: Readable, contentEncoding: string, maxBytes: number): Promise<BodyReading> {
  const encoding = contentEncoding.trim().toLowerCase();
  const plain = encoding === "" || encoding === "identity";
  if (!plain && !Object.hasOwn(decoders, encoding)) return { type: "encoding" };
  // A compressed body can be a little larger than what is in it, and no more than that.
  const counted = plain ? source : limited(source, maxBytes + 1024);
  const decoded = plain ? source : pipeline(counted, decoders[encoding as keyof typeof decoders](), () => undefined);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of decoded as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) return { type: "too-large" };
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof TooLarge) return { type: "too-large" };
    if ((error as NodeJS.ErrnoException).code?.startsWith("Z_") || (error as NodeJS.ErrnoException).code?.startsWith("ERR_BROTLI")) {
      return { type: "encoding" };
    }
    throw error;
  }
  return { type: "read", body: Buffer.concat(chunks, length) };
}

class TooLarge extends Error {}

async function* limited(source: Readable, maxBytes: number): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new TooLarge();
    yield chunk;
  }
}
