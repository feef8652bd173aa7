import { bigEndian, concatBytes, fromBigEndian } from "./utf8.ts";

const lengthBytes = 2;

/** Entries as tlog-tiles serves them: each behind its length in two bytes. Index of an entry in a bundle is that of its leaf in the tile. */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  return concatBytes(
    ...entries.flatMap((entry) => {
      if (entry.length >= 2 ** (8 * lengthBytes)) throw new RangeError(`An entry of ${entry.length} bytes does not fit into a bundle`);
      return [bigEndian(entry.length, lengthBytes), entry];
    }),
  );
}

/** Null when the bytes end in the middle of an entry. */
export function decodeEntryBundle(bundle: Uint8Array): Uint8Array[] | null {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length;) {
    const start = at + lengthBytes;
    const end = start + fromBigEndian(bundle.subarray(at, start));
    if (start > bundle.length || end > bundle.length) return null;
    entries.push(bundle.subarray(start, end));
    at = end;
  }
  return entries;
}
