import type { EntryType, Id, Json, PrivacyRequestView } from "@remit/contract";
import { ledgerEventSchema } from "@remit/contract";
import type { Database } from "../database/database.ts";
import { pageOf } from "../http/page.ts";
import type { Page } from "../http/page.ts";
import type { Payloads } from "../ledger/payloads.ts";
import type { PrivacyStore } from "./privacy.store.ts";

const types: readonly EntryType[] = [
  "subject-exported",
  "subject-erased",
  "erasure-refused",
  "hold-placed",
  "hold-release-requested",
  "hold-released",
  "retention-purged",
];

/** What was asked and done, read from the ledger: there is no second record that could say otherwise. */
export type PrivacyRequests = { list(page: { before: string | null; limit: number }): Promise<Page<PrivacyRequestView>> };

export function createPrivacyRequests(deps: { database: Database; store: PrivacyStore; payloads: Payloads }): PrivacyRequests {
  const { database, store, payloads } = deps;

  async function view({ id, body }: { id: string; body: Buffer }): Promise<PrivacyRequestView> {
    const event = ledgerEventSchema.parse(JSON.parse(body.toString()));
    const { payloads: _sealed, linkedBy: _linked, key, ...counts } = event.data as Record<string, Json>;
    const request = await payloads.open(id as Id<"entry">, "request").catch(() => null);
    const said = request?.["reason"];
    return {
      entry: id,
      at: event.time,
      type: event.type.slice("remit.".length),
      actor: event.actor,
      key: typeof key === "string" ? key : null,
      reason: typeof said === "string" ? said : null,
      counts,
    };
  }
  return {
    async list({ before, limit }) {
      const page = pageOf(await store.requests(database, { types, before, limit: limit + 1 }), limit, ({ id }) => [id]);
      return { items: await Promise.all(page.items.map(view)), next: page.next };
    },
  };
}
