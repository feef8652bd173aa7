import type { Id } from "@remit/contract";
import type { Transaction } from "../database/database.ts";

export type Consent = {
  id: Id<"consent">;
  /** oidc-provider's grant, whose codes and refresh tokens end with it. */
  grantId: string;
  client: string;
  clientName: string;
  party: string;
  agent: string;
  environment: string;
  policies: string[];
  givenAt: Date;
  expiresAt: Date;
  withdrawnAt: Date | null;
};

export type ConsentStore = {
  add(transaction: Transaction, consent: Consent): Promise<void>;
  find(id: string): Promise<Consent | null>;
  findByGrant(grantId: string): Promise<Consent | null>;
  /** Has anybody a consent in force for this client? */
  isKnown(client: string, at: Date): Promise<boolean>;
  /** Newest first; those of one person, or of everybody. */
  list(party: string | null): Promise<Consent[]>;
  /** False: it was withdrawn already. */
  withdraw(transaction: Transaction, id: Id<"consent">, at: Date): Promise<boolean>;
};
