import type { HaltScope, Id, LeaseView, RevokeLeases } from "@remit/contract";
import type { Transaction } from "../database/database.ts";
import type { Page, PageQuery } from "../http/page.ts";

/** Which leases. A halt's scope is one as well; that of a tool covers none, for a lease is an upstream's. */
export type LeaseScope = RevokeLeases["scope"] | HaltScope;

/** Ends leases in somebody else's transaction; how many. Every server closes what it holds of them at its next confirmation of control state. */
export type RevokeLeasesIn = (transaction: Transaction, scope: LeaseScope, reason: string, actor: string) => Promise<number>;

/** Every right to use a credential that was given, and its end. */
export type Leases = {
  revokeIn: RevokeLeasesIn;
  /** Ends leases now, on every server. */
  revoke(revocation: RevokeLeases, actor: string): Promise<number>;
  list(query: PageQuery & { live: boolean }): Promise<Page<LeaseView>>;
};

/** What has to be taken back where it was made, when the lease it was made for has ended. It stands by itself: the credential may be gone. */
export type Undo =
  | { type: "postgres"; admin: string; role: string; revoke: readonly string[] }
  | { type: "vault"; address: string; namespace: string | null; auth: VaultAuth; leaseId: string };

export type VaultAuth = { type: "token"; secret: string } | { type: "approle"; mount: string; roleId: string; secret: string };

export type StoredLease = {
  id: Id<"lease">;
  upstream: string;
  credentials: readonly string[];
  secrets: readonly string[];
  agent: string | null;
  run: string | null;
  environment: string | null;
  person: string | null;
  issuedAt: Date;
  expiresAt: Date;
  endedAt: Date | null;
  endedReason: string | null;
};
