import type { Queryable, Transaction } from "../database/database.ts";

/** Which grant: of a credential at an upstream, and of one person, or of nobody (empty) where one serves all. */
export type GrantKey = { credential: string; upstream: string; person: string };

export type StoredGrant = GrantKey & {
  state: "wanted" | "connected" | "expired";
  version: number;
  sealed: Buffer | null;
  expiresAt: Date | null;
  reason: string | null;
  wanted: readonly string[];
  resourceMetadata: string | null;
  connectedBy: string | null;
  connectedAt: Date | null;
  refreshedAt: Date | null;
};

export type StoredConsent = GrantKey & { startedBy: string; sealed: Buffer; expiresAt: Date };

/** Where grants are kept. */
export type GrantStore = {
  read(on: Queryable, key: GrantKey): Promise<StoredGrant | null>;
  /** Holds the grant until the end of the transaction: one refresh at a time, over all servers. Null where there is none. */
  lock(transaction: Transaction, key: GrantKey): Promise<StoredGrant | null>;
  /** Makes the row, so that there is one to hold. */
  ensure(on: Queryable, key: GrantKey): Promise<void>;
  save(on: Queryable, grant: StoredGrant): Promise<void>;
  remove(transaction: Transaction, key: GrantKey): Promise<boolean>;
  /** Connected grants of every person, the longest connected first. */
  ofCredential(on: Queryable, credential: string, upstream: string): Promise<StoredGrant[]>;
  versions(on: Queryable, keys: readonly GrantKey[]): Promise<(GrantKey & { version: number })[]>;
  list(on: Queryable): Promise<StoredGrant[]>;
  addConsent(on: Queryable, stateHash: Buffer, consent: StoredConsent): Promise<void>;
  readConsent(on: Queryable, stateHash: Buffer): Promise<StoredConsent | null>;
  /** Takes it away: it comes back once. */
  takeConsent(on: Queryable, stateHash: Buffer): Promise<StoredConsent | null>;
  forgetConsents(on: Queryable, at: Date): Promise<void>;
  readClient(on: Queryable, client: ClientKey): Promise<Buffer | null>;
  saveClient(on: Queryable, client: ClientKey, sealed: Buffer, at: Date): Promise<void>;
};

/** A registration at an authorization server: what one has given is never shown to another. */
export type ClientKey = { credential: string; issuer: string; redirectUri: string };
