import type { Id } from "@remit/contract";
import type { Transaction } from "../database/database.ts";

export type StoredSecret = {
  id: Id<"secret">;
  agent: string;
  createdAt: Date;
  createdBy: string;
  expiresAt: Date;
  retiredAt: Date | null;
  lastUsedAt: Date | null;
};

export type Revocation = {
  kind: "token" | "run" | "secret" | "consent" | "agent";
  name: string;
  revokedAt: Date;
  forgetAt: Date;
  reason: string;
};

export type StoredLink = { id: Id<"link">; party: string; issuedBy: string; issuedAt: Date; expiresAt: Date; usedAt: Date | null };

export type StoredSession = { id: Id<"session">; party: string; linkId: Id<"link">; linkedBy: string; startedAt: Date; expiresAt: Date };

/** What identity keeps. Secrets, links and sessions are known by the hash of their token only. */
export type IdentityStore = {
  addSecret(transaction: Transaction, secret: StoredSecret, hash: Buffer): Promise<void>;
  /** Secrets of an agent that are good at this moment. */
  liveSecrets(agent: string, at: Date): Promise<{ id: Id<"secret">; hash: Buffer }[]>;
  listSecrets(agent: string): Promise<StoredSecret[]>;
  /** False: there is no such secret of this agent that is not retired already. */
  retireSecret(transaction: Transaction, agent: string, id: string, at: Date): Promise<boolean>;
  /** Notes the use, to the minute. */
  touchSecret(id: Id<"secret">, at: Date): Promise<void>;

  addRevocation(transaction: Transaction, revocation: Revocation): Promise<void>;
  /** Those in force. */
  revocations(at: Date): Promise<Revocation[]>;

  addLink(transaction: Transaction, link: StoredLink, hash: Buffer): Promise<void>;
  findLink(hash: Buffer): Promise<StoredLink | null>;
  /** Uses a link, for one caller among however many; null for all others. */
  useLink(transaction: Transaction, hash: Buffer, at: Date): Promise<StoredLink | null>;

  addSession(transaction: Transaction, session: StoredSession, hash: Buffer): Promise<void>;
  /** The session, unless it has ended, expired, or was idle since `idleSince`. */
  liveSession(hash: Buffer, at: Date, idleSince: Date): Promise<StoredSession | null>;
  /** Notes the use, to the minute. */
  touchSession(id: Id<"session">, at: Date): Promise<void>;
  /** Null: it had ended already. */
  endSession(transaction: Transaction, hash: Buffer, at: Date): Promise<StoredSession | null>;
};
