import { createHash } from "node:crypto";
import { tarEnd, tarHeader, tarPadding } from "@remit/core";

/** A file that has gone into an archive. */
export type Archived = { name: string; sha256: string };

/** Writes the pieces of a tar archive, and remembers what went in. */
export type Archive = {
  /** Of a file whose content is in memory. */
  file(name: string, content: readonly Uint8Array[]): Uint8Array[];
  end(): Uint8Array;
  readonly files: readonly Archived[];
};

export function createArchive(at: Date): Archive {
  const files: Archived[] = [];
  return {
    files,
    file(name, content) {
      const hash = createHash("sha256");
      let size = 0;
      for (const piece of content) {
        hash.update(piece);
        size += piece.length;
      }
      files.push({ name, sha256: hash.digest("hex") });
      return [tarHeader({ name, size }, at), ...content, tarPadding(size)];
    },
    end: () => tarEnd,
  };
}
