/** The bytes of entries, by their place. */
export type EntryBodies = {
  /** The bodies of leaves `from` up to `to`, not including it, in order. Fewer where rows are missing. */
  bodies(from: number, to: number): Promise<Uint8Array[]>;
};
