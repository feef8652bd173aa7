/** SHA-256, passed in: the core has no cryptography of its own. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

/** The hashes of an RFC 6962 Merkle tree. The prefix keeps a leaf from ever being read as a node. */
export type TreeHash = {
  /** Root of the tree without leaves. */
  readonly empty: Uint8Array;
  leaf(body: Uint8Array): Uint8Array;
  node(left: Uint8Array, right: Uint8Array): Uint8Array;
};

export const hashLength = 32;

export function treeHash(hash: Hash): TreeHash {
  // One buffer for every node, and one for leaves: the hash reads it before it returns.
  let prefixed = new Uint8Array(4096);
  const pair = new Uint8Array(1 + 2 * hashLength);
  pair[0] = 1;
  return {
    empty: hash(new Uint8Array(0)),
    leaf(body) {
      if (prefixed.length <= body.length) prefixed = new Uint8Array(2 * body.length);
      prefixed.set(body, 1);
      return hash(prefixed.subarray(0, 1 + body.length));
    },
    node(left, right) {
      pair.set(left, 1);
      pair.set(right, 1 + hashLength);
      return hash(pair);
    },
  };
}
