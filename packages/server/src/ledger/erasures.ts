import { ledgerEventSchema } from "@remit/contract";
import { erasedKeys } from "@remit/core";
import type { LedgerRows } from "./ledger-rows.ts";

/** What the ledger says was erased. A key that is gone, and of which it says nothing, was removed by somebody. */
export type Erasures = {
  /** Whether an entry says that one of the keys of this reference was destroyed after this moment. */
  explain(reference: string, sealedAt: string): Promise<boolean>;
};

/** Another server seals with a destroyed key until it hears of it, and clocks differ: so much later a payload may have been sealed. */
const graceMs = 10 * 60_000;

export function createErasures(rows: Pick<LedgerRows, "erasures">): Erasures {
  let known: ReadonlyMap<string, number> = new Map();
  const unexplained = new Set<string>();

  async function load(): Promise<ReadonlyMap<string, number>> {
    const latest = new Map<string, number>();
    for (const body of await rows.erasures()) {
      const event = eventOf(body);
      if (event === null) continue;
      for (const key of erasedKeys(event)) latest.set(key, Math.max(latest.get(key) ?? 0, Date.parse(event.time)));
    }
    return latest;
  }

  return {
    async explain(reference, sealedAt) {
      const isErased = (): boolean =>
        reference.split(" ").some((key) => (known.get(key) ?? Number.NEGATIVE_INFINITY) + graceMs >= Date.parse(sealedAt));
      if (isErased()) return true;
      if (unexplained.has(reference)) return false;
      // A key goes in one transaction with the entry that says so: whoever finds it gone finds the entry, if he looks after that.
      known = await load();
      if (isErased()) return true;
      if (unexplained.size >= 10_000) unexplained.clear();
      unexplained.add(reference);
      return false;
    },
  };
}

function eventOf(body: Buffer) {
  try {
    return ledgerEventSchema.safeParse(JSON.parse(body.toString())).data ?? null;
  } catch {
    return null;
  }
}
