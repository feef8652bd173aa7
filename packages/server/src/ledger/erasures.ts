import { ledgerEventSchema } from "@remit/contract";
import { erasedKeys } from "@remit/core";
import type { LedgerRows } from "./ledger-rows.ts";

/** What the ledger says was erased. A key that is gone, and of which it says nothing, was removed by somebody. */
export type Erasures = {
  /** Whether an entry says that one of the keys of this reference was destroyed after that of the payload, in the order of the ledger or by the clock. */
  explain(reference: string, payload: Place): Promise<boolean>;
};

/** Where an entry stands, null while it waits for that, and when it happened. */
type Place = { seq: number | null; at: string };

type Latest = { seq: number; at: number };

/** Another server seals with a destroyed key until it hears of it, and clocks differ: so much later a payload may have been sealed. */
const graceMs = 10 * 60_000;

export function createErasures(rows: Pick<LedgerRows, "erasures">): Erasures {
  let known: ReadonlyMap<string, Latest> = new Map();
  const unexplained = new Set<string>();

  async function load(): Promise<ReadonlyMap<string, Latest>> {
    const latest = new Map<string, Latest>();
    for (const { body, seq } of await rows.erasures()) {
      const event = eventOf(body);
      if (event === null) continue;
      for (const key of erasedKeys(event)) {
        const before = latest.get(key) ?? { seq: -1, at: 0 };
        latest.set(key, { seq: Math.max(before.seq, seq ?? Number.MAX_SAFE_INTEGER), at: Math.max(before.at, Date.parse(event.time)) });
      }
    }
    return latest;
  }

  return {
    async explain(reference, payload) {
      const isErased = (): boolean =>
        reference.split(" ").some((key) => {
          const erased = known.get(key);
          if (erased === undefined) return false;
          return erased.seq > (payload.seq ?? Number.MAX_SAFE_INTEGER) || erased.at + graceMs >= Date.parse(payload.at);
        });
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
