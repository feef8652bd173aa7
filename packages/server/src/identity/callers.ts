import type { Caller, RunBinding } from "@remit/contract";

/** Agents' tokens. */
export type Callers = {
  /**
   * Verifies an access token for this resource (its audience). The refusal is recorded in the ledger.
   * @throws RemitError `unauthenticated` | `token-expired` | `token-revoked` | `agent-suspended` | `no-accountable-human`
   */
  verify(token: string, resource: string): Promise<Caller>;
  /** A token for one run: at most five minutes, never past the run's deadline, for the gateway only. */
  issueForRun(caller: Omit<Caller, "tokenId" | "expiresAt" | "run"> & { run: RunBinding }): Promise<{ token: string; expiresAt: Date }>;
};
