import type { KeyObject } from "node:crypto";

/** What keys of Remit sign with: checkpoints with Ed25519, tokens with ES256. */
export type SigningAlgorithm = "Ed25519" | "ES256";

export type SigningKey = {
  /** RFC 7638 thumbprint of the public key. */
  kid: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
};

/** The keys that this installation signs with. */
export type KeyStore = {
  /**
   * The newest key of a name. The first use makes it; servers that start at once get the same.
   * @throws RemitError `database-mismatch` when the master key does not open what is stored.
   */
  signingKey(name: string, algorithm: SigningAlgorithm): Promise<SigningKey>;
};
