import { randomBytes } from "node:crypto";
import { idPrefixes } from "@remit/contract";
import type { Id, IdKind } from "@remit/contract";

/** A new id: a UUIDv7 (RFC 9562), so ids sort by the millisecond in which they were made. */
export function newId<K extends IdKind>(kind: K, nowMs: number = Date.now()): Id<K> {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return `${idPrefixes[kind]}_${bytes.toString("hex")}` as Id<K>;
}
