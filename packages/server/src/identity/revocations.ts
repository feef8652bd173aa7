import { nothingRevoked } from "@remit/core";
import type { Revocations } from "@remit/core";
import type { Transaction } from "../database/database.ts";
import type { IdentityStore, Revocation } from "./identity.store.ts";

/** Taking tokens back. Effective here with the next `ControlState.refresh`, and on every other server within a second. */
export type RevocationList = {
  /** This server's copy. */
  current(): Revocations;
  reload(): Promise<void>;
  /** In the transaction of what is the reason for it. The caller says {@link ControlState.changed} in the same transaction. */
  revoke(transaction: Transaction, kind: Revocation["kind"], name: string, reason: string): Promise<void>;
};

const clockSkewMs = 5_000;

/** Longer than any token lives; runs last longer than their tokens. */
const keepMs = { token: 3_600_000, secret: 3_600_000, consent: 3_600_000, agent: 3_600_000, run: 7 * 86_400_000 };

export function createRevocationList(options: { store: IdentityStore; now: () => Date }): RevocationList {
  let revocations: Revocations = nothingRevoked;
  return {
    current: () => revocations,
    async reload() {
      const rows = await options.store.revocations(options.now());
      const names = (kind: Revocation["kind"]) => new Set(rows.filter((row) => row.kind === kind).map((row) => row.name));
      revocations = {
        tokens: names("token"),
        runs: names("run"),
        secrets: names("secret"),
        consents: names("consent"),
        agents: new Map(rows.filter((row) => row.kind === "agent").map((row) => [row.name, row.revokedAt.getTime()])),
      };
    },
    async revoke(transaction, kind, name, reason) {
      const at = options.now().getTime();
      // A server whose clock runs ahead may have dated a token after this moment; for so long the agent gets none that works.
      const revokedAt = new Date(kind === "agent" ? at + clockSkewMs : at);
      await options.store.addRevocation(transaction, {
        kind,
        name,
        revokedAt,
        forgetAt: new Date(revokedAt.getTime() + keepMs[kind]),
        reason,
      });
    },
  };
}
