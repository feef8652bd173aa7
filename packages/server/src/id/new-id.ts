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
  const from = used;
  used += idLength;
  pool.writeUIntBE(nowMs, from, 6);
  pool.writeUInt8((pool.readUInt8(from + 6) & 0x0f) | 0x70, from + 6);
  pool.writeUInt8((pool.readUInt8(from + 8) & 0x3f) | 0x80, from + 8);
  return `${idPrefixes[kind]}_${pool.toString("hex", from, used)}` as Id<K>;
}
