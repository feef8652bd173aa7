import type { KeyObject } from "node:crypto";
import type { Transaction } from "../database/database.ts";

/** What keys of Remit sign with: checkpoints with Ed25519 (and ML-DSA-44 besides, where that is wanted), tokens with ES256. */
export type SigningAlgorithm = "Ed25519" | "ES256" | "ML-DSA-44";

export type SigningKey = {
  /** RFC 7638 thumbprint of the public key; of ML-DSA-44 the SHA-256 of its SubjectPublicKeyInfo. */
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
  /** One version of a name. @throws RemitError `not-found` */
  keyVersion(name: string, version: number, algorithm: SigningAlgorithm): Promise<SigningKey>;
  /** Makes the next version of a name, in the transaction of whatever begins to use it. */
  addVersion(transaction: Transaction, name: string, algorithm: SigningAlgorithm): Promise<{ version: number; key: SigningKey }>;
};

/** What a signing key is sealed for with the master key. */
export function signingKeyContext(name: string, version: number): string {
  return `signing-key ${name} ${version}`;
}
