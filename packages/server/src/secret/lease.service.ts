import type { LeaseView } from "@remit/contract";
import { z } from "zod";
import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import { pageOf, positionOf } from "../http/page.ts";
import { newId } from "../id/new-id.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { LeaseStore } from "./lease.store.ts";
import type { Leases, LeaseScope, StoredLease } from "./leases.ts";

export type LeaseOptions = {
  database: Database;
  store: LeaseStore;
  ledger: Pick<Ledger, "append">;
  control: Pick<ControlState, "changed" | "refresh">;
  now: () => Date;
};

export function createLeases({ database, store, ledger, control, now }: LeaseOptions): Leases {
  const revokeIn: Leases["revokeIn"] = async (transaction, scope, reason, actor) => {
    const at = now();
    const ended = await store.endScope(transaction, scope, at, reason);
    if (ended.length === 0) return 0;
    await ledger.append(transaction, [
      {
        id: newId("entry", at.getTime()),
        type: "credential-revoked",
        at: at.toISOString(),
        actor,
        ...(scope.type === "run" ? { runId: scope.name as never } : {}),
        data: { scope: words(scope), reason, leases: ended.length, first: ended.slice(0, 20) },
      },
    ]);
    return ended.length;
  };
  return {
    revokeIn,
    async revoke({ scope, reason }, actor) {
      const count = await database.transaction(async (transaction) => {
        const ended = await revokeIn(transaction, scope, reason, actor);
        if (ended > 0) await control.changed(transaction);
        return ended;
      });
      if (count > 0) await control.refresh();
      return count;
    },
    async list(query) {
      const before = positionOf(query, z.tuple([z.string()]))?.[0] ?? null;
      const page = pageOf(await store.list(database, { live: query.live, before, limit: query.limit + 1 }), query.limit, ({ id }) => [id]);
      return { items: page.items.map(viewOf), next: page.next };
    },
  };
}

function words(scope: LeaseScope): string {
  return scope.type === "everything" ? scope.type : `${scope.type} ${scope.name}`;
}

function viewOf(lease: StoredLease): LeaseView {
  return {
    id: lease.id,
    credential: lease.credentials.join(", "),
    upstream: lease.upstream,
    agent: lease.agent,
    run: lease.run,
    person: lease.person,
    issuedAt: lease.issuedAt.toISOString(),
    expiresAt: lease.expiresAt.toISOString(),
    endedAt: lease.endedAt?.toISOString() ?? null,
    endedReason: lease.endedReason,
  };
}
