import { anchorsViewSchema } from "@remit/contract";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { Anchors } from "./anchors.service.ts";

export function registerAnchorRoutes(app: App, { anchors }: { anchors: Anchors }): void {
  app.get(
    "/v1/audit/anchors",
    {
      schema: {
        summary: "Who outside has seen the ledger, how far and when; and every contradiction that was found",
        response: { 200: anchorsViewSchema },
      },
    },
    async (request) => {
      await requireActor(request, { role: ["auditor", "operator"] });
      return anchors.view();
    },
  );
}
