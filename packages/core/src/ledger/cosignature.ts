import { parseCheckpoint } from "./checkpoint.ts";
import { bigEndian, concatBytes, fromBigEndian, utf8 } from "./utf8.ts";

/** What a witness signs with a type 0x04 key: when it saw the text of a checkpoint (https://c2sp.org/tlog-cosignature). */
export function cosignedText(text: string, timestamp: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${timestamp}\n${text}`);
}

/** What is signed with a type 0x06 key: origin, size and root of a checkpoint, who says so and when. Null when the text is no checkpoint. */
export function cosignedTree(text: string, { cosigner, timestamp }: { cosigner: string; timestamp: number }): Uint8Array | null {
  const checkpoint = parseCheckpoint(text);
  const origin = utf8(checkpoint?.origin ?? "");
  const name = utf8(cosigner);
  if (checkpoint === null || origin.length > 255 || name.length > 255) return null;
  const start = 0;
  return concatBytes(
    utf8("subtree/v1\n\0"),
    Uint8Array.of(name.length),
    name,
    bigEndian(timestamp, timestampLength),
    Uint8Array.of(origin.length),
    origin,
    bigEndian(start, 8),
    bigEndian(checkpoint.size, 8),
    checkpoint.root,
  );
}

const timestampLength = 8;

/** The timestamp of a cosignature, in seconds since 1970, and the signature behind it. Null where the time is none that a clock has shown. */
export function splitTimestamp(signature: Uint8Array): { timestamp: number; signature: Uint8Array } | null {
  if (signature.length <= timestampLength) return null;
  const timestamp = fromBigEndian(signature.subarray(0, timestampLength));
  if (!Number.isSafeInteger(timestamp) || timestamp === 0) return null;
  return { timestamp, signature: signature.subarray(timestampLength) };
}

export function joinTimestamp(timestamp: number, signature: Uint8Array): Uint8Array {
  return concatBytes(bigEndian(timestamp, timestampLength), signature);
}
