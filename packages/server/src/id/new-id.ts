import { randomFillSync } from "node:crypto";
import { idPrefixes } from "@remit/contract";
import type { Id, IdKind } from "@remit/contract";

const idLength = 16;

// One call to the system's generator for many ids. An id is no secret: what is left of the pool says nothing that matters.
const pool = Buffer.alloc(idLength * 256);
let used = pool.length;

/** A new id: a UUIDv7 (RFC 9562), so ids sort by the millisecond in which they were made. */
export function newId<K extends IdKind>(kind: K, nowMs: number = Date.now()): Id<K> {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = pool.subarray(used, (used += idLength));
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return `${idPrefixes[kind]}_${bytes.toString("hex")}` as Id<K>;
}
