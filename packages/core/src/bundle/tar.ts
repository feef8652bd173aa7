/** Where a file lies in an archive. */
export type TarMember = { name: string; size: number };

export const tarBlock = 512;
/** The largest file that eleven octal digits can tell. */
const largest = 8 ** 11 - 1;

/** The header of a file (POSIX ustar). Owners are nobody: an archive tells nothing of the machine that wrote it. */
export function tarHeader({ name, size }: TarMember, mtime: Date): Uint8Array {
  if (!/^[\x21-\x7e]{1,100}$/.test(name)) throw new RangeError(`"${name}" has no place in an archive`);
  if (size > largest) throw new RangeError(`${name} is too large for an archive`);
  const block = new Uint8Array(tarBlock);
  const put = (at: number, text: string) =>
    block.set(
      Array.from(text, (character) => character.charCodeAt(0)),
      at,
    );
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  put(0, name);
  put(100, octal(0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(Math.floor(mtime.getTime() / 1000), 11));
  put(156, "0");
  put(257, "ustar\u000000");
  put(148, `${checksum(block).toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** What follows a file of this size, up to the next block. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((tarBlock - (size % tarBlock)) % tarBlock);
}

/** What an archive ends with. */
export const tarEnd = new Uint8Array(2 * tarBlock);

/**
 * Reads a header. `end`: a block of zeros. A sentence where it is anything but a plain file with a plain name: links, folders, devices,
 * long names and sizes in other notations have no place in what somebody is to trust.
 */
export function readTarHeader(block: Uint8Array): TarMember | "end" | { refused: string } {
  if (block.every((byte) => byte === 0)) return "end";
  const field = (at: number, length: number) => {
    const bytes = block.subarray(at, at + length);
    const end = bytes.indexOf(0);
    return String.fromCharCode(...bytes.subarray(0, end < 0 ? length : end));
  };
  if (octalOf(field(148, 8)) !== checksum(block)) return { refused: "a header whose checksum is wrong" };
  if (field(257, 5) !== "ustar") return { refused: "a header that is not ustar" };
  const name = field(0, 100);
  if (field(345, 155) !== "") return { refused: `a name in two parts ("${field(345, 155)}", "${name}")` };
  const type = block[156];
  if (type !== 0x30 && type !== 0)
    return { refused: `"${name}", which is not a plain file but ${kinds[String.fromCharCode(type ?? 0)] ?? "something else"}` };
  const size = octalOf(field(124, 12));
  if (size === null) return { refused: `"${name}", whose size is not in octal digits` };
  return { name, size };
}

const kinds: Record<string, string> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "5": "a folder",
  "6": "a pipe",
  x: "an extended header",
  g: "an extended header",
  L: "a long name",
  K: "a long link",
};

function octalOf(text: string): number | null {
  const digits = /^ *([0-7]+)[ ]*$/.exec(text)?.[1];
  return digits === undefined ? null : Number.parseInt(digits, 8);
}

function checksum(block: Uint8Array): number {
  // The field of the checksum itself counts as spaces.
  return block.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}
