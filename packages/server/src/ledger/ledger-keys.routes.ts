import { ledgerKeysViewSchema, rotateLedgerKeySchema } from "@remit/contract";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { LedgerKeys } from "./ledger-keys.service.ts";

export function registerLedgerKeyRoutes(app: App, { ledgerKeys }: { ledgerKeys: LedgerKeys }): void {
  // For everybody, like the checkpoint: whoever holds a proof must be able to find the keys. What makes one trust them is not this list.
  app.get(
    "/v1/audit/keys",
    { schema: { summary: "The keys that sign the ledger's checkpoints, now and before", response: { 200: ledgerKeysViewSchema } } },
    async () => ledgerKeys.view(),
  );

  app.post(
    "/v1/audit/keys/rotate",
    {
      schema: {
        summary: "Replace the keys of the ledger: begin, and finish once everybody outside knows the new ones",
        body: rotateLedgerKeySchema,
        response: { 200: ledgerKeysViewSchema },
      },
    },
    async (request) => {
      const actor = await requireActor(request, { role: ["admin"] });
      return request.body.step === "begin" ? ledgerKeys.begin(actor) : ledgerKeys.finish(actor);
    },
  );
}
