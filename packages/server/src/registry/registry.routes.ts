import {
  acceptedToolsSchema,
  acceptToolsSchema,
  agentSummarySchema,
  agentViewSchema,
  appliedSchema,
  applyRegistrySchema,
  planSchema,
  registryFilesSchema,
  registryViewSchema,
  RemitError,
  toolDifferencesSchema,
  toolViewSchema,
} from "@remit/contract";
import { didYouMean } from "@remit/core";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageOf, pageQuerySchema, pageSchema, positionOf } from "../http/page.ts";
import type { Page, PageQuery } from "../http/page.ts";
import { viewAgent, viewRegistry, viewTool } from "./registry-views.ts";
import type { RegistryService } from "./registry.service.ts";

/** Room for 5 MB of files and their quotes in JSON. */
const filesLimit = 6 * 1024 * 1024;

/** Planning starts the programs of upstreams that are not in force yet, so it needs what applying needs. */
const mayApply = { role: ["admin"] } as const;
const mayAccept = { role: ["operator"] } as const;

export function registerRegistryRoutes(app: App, { registry }: { registry: RegistryService }): void {
  app.post(
    "/v1/registry/plan",
    {
      bodyLimit: filesLimit,
      schema: { summary: "What applying these files would change", body: registryFilesSchema, response: { 200: planSchema } },
    },
    async (request) => {
      await requireActor(request, mayApply);
      return registry.plan(request.body.files);
    },
  );

  app.post(
    "/v1/registry/apply",
    {
      bodyLimit: filesLimit,
      schema: { summary: "Bring these files into force, whole or not at all", body: applyRegistrySchema, response: { 200: appliedSchema } },
    },
    async (request) => {
      const actor = await requireActor(request, mayApply);
      return registry.apply({ files: request.body.files, plan: request.body.plan, actor });
    },
  );

  app.get("/v1/registry", { schema: { summary: "The registry in force", response: { 200: registryViewSchema } } }, async (request) => {
    await requireActor(request);
    return viewRegistry(registry.loaded());
  });

  app.get(
    "/v1/agents",
    { schema: { summary: "Every agent", querystring: pageQuerySchema, response: { 200: pageSchema(agentSummarySchema) } } },
    async (request) => {
      await requireActor(request);
      const { items, next } = pageAfter(registry.current().agents, request.query);
      return {
        items: items.map(({ spec, version, suspended }) => {
          const { name, purpose, accountable, tier } = spec;
          return { name, version, purpose, accountable, tier, suspended };
        }),
        next,
      };
    },
  );

  app.get(
    "/v1/agents/:name",
    { schema: { summary: "One agent whole", params: z.object({ name: z.string() }), response: { 200: agentViewSchema } } },
    async (request) => {
      await requireActor(request);
      const { agents } = registry.current();
      const agent = agents.get(request.params.name);
      if (agent === undefined)
        throw new RemitError("not-found", `There is no agent "${request.params.name}"${didYouMean(request.params.name, agents.keys())}`);
      return viewAgent(agent, registry.current());
    },
  );

  app.get(
    "/v1/tools",
    { schema: { summary: "Every registered tool", querystring: pageQuerySchema, response: { 200: pageSchema(toolViewSchema) } } },
    async (request) => {
      await requireActor(request);
      const { items, next } = pageAfter(registry.current().tools, request.query);
      return { items: items.map(viewTool), next };
    },
  );

  app.get(
    "/v1/tools/diff",
    { schema: { summary: "How tools differ from what was accepted", response: { 200: toolDifferencesSchema } } },
    async (request) => {
      await requireActor(request);
      return registry.toolDifferences();
    },
  );

  app.post(
    "/v1/tools/accept",
    { schema: { summary: "Accept what was shown of tools", body: acceptToolsSchema, response: { 200: acceptedToolsSchema } } },
    async (request) => {
      const actor = await requireActor(request, mayAccept);
      return registry.acceptTools({ ...request.body, actor });
    },
  );
}

/** The part of a map that comes after a position. Its keys are in order. */
function pageAfter<Value>(map: ReadonlyMap<string, Value>, query: PageQuery): Page<Value> {
  const [after = null] = positionOf(query, z.tuple([z.string()])) ?? [];
  const rest = [...map].filter(([key]) => after === null || key > after);
  const { items, next } = pageOf(rest, query.limit, ([key]) => [key]);
  return { items: items.map(([, value]) => value), next };
}
