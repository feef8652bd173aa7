import { createHash } from "node:crypto";
import type { BundleFiles } from "./bundle-files.ts";
import type { Problems } from "./problems.ts";

/** Compares what is read with what was signed. */
export type Digests = {
  /** A file as it is, hashed while it is read; what it turned out to be is noted at its end. */
  stream(name: string): AsyncIterable<Buffer>;
  /** Holds what a file should contain against what was signed. */
  expect(name: string, content: { digest(encoding: "hex"): string }, otherwise: string): void;
};

/** `signed`: the digest of each file; empty where that cannot be known. */
export function digestCheck(files: BundleFiles, signed: ReadonlyMap<string, string>, problems: Problems): Digests {
  function expect(name: string, content: { digest(encoding: "hex"): string }, otherwise: string): void {
    const stated = signed.get(name);
    if (stated !== undefined && content.digest("hex") !== stated) problems.report("tampered", null, `${name} ${otherwise}`);
  }
  return {
    expect,
    async *stream(name) {
      const hash = createHash("sha256");
      for await (const piece of files.stream(name)) {
        hash.update(piece);
        yield piece;
      }
      expect(name, hash, "is not the file that was signed: it was changed");
    },
  };
}
