import { containmentSchema } from "@remit/contract";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { Upstreams } from "./upstreams.ts";

const healthSchema = z.object({
  upstream: z.string(),
  state: z.enum(["starting", "ready", "down"]),
  since: z.string(),
  restarts: z.int(),
  error: z.string().nullable(),
  /** The last lines that a program wrote to stderr. */
  stderr: z.array(z.string()),
  /** How its program was started; null where it has none, or does not run. */
  containment: containmentSchema.nullable(),
  /** Tools that are not called for now, because they keep failing. */
  circuits: z
    .array(z.object({ environment: z.string(), tool: z.string(), state: z.enum(["open", "half-open"]), until: z.string().nullable() }))
    .optional(),
  /** When it was last asked whether it still answers; null: not yet. */
  probe: z.object({ at: z.string(), durationMs: z.int(), error: z.string().nullable() }).nullable().optional(),
});

export function registerUpstreamRoutes(app: App, { upstreams }: { upstreams: Pick<Upstreams, "health"> }): void {
  app.get(
    "/v1/upstreams",
    { schema: { summary: "How the upstreams are", response: { 200: z.object({ items: z.array(healthSchema), next: z.null() }) } } },
    async (request) => {
      await requireActor(request, { role: ["operator"] });
      return { items: upstreams.health(), next: null };
    },
  );
}
