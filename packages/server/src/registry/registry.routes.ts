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
import type { Role } from "@remit/contract";
import { didYouMean } from "@remit/core";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { requireMachine, requirePerson } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { viewAgent, viewRegistry, viewTool } from "./registry-views.ts";
import type { RegistryService } from "./registry.service.ts";

/** Room for 5 MB of files and their quotes in JSON. */
const filesLimit = 6 * 1024 * 1024;

/** Planning starts the programs of upstreams that are not in force yet, so it needs what applying needs. */
const mayApply: readonly Role[] = ["admin"];
const mayAccept: readonly Role[] = ["operator"];

export function registerRegistryRoutes(app: App, { registry }: { registry: RegistryService }): void {
  app.post(
    "/v1/registry/plan",
    {
      bodyLimit: filesLimit,
      schema: { summary: "What applying these files would change", body: registryFilesSchema, response: { 200: planSchema } },
    },
    async (request) => {
      await actorOf(request, mayApply);
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
      const actor = await actorOf(request, mayApply);
      return registry.apply({ files: request.body.files, plan: request.body.plan, actor });
    },
  );

  app.get("/v1/registry", { schema: { summary: "The registry in force", response: { 200: registryViewSchema } } }, async (request) => {
    await actorOf(request, []);
    return viewRegistry(registry.loaded());
  });

  const pageSchema = z.strictObject({ cursor: z.string().max(200).optional(), limit: z.coerce.number().int().min(1).max(200).default(50) });
  const listOf = <Item extends z.ZodType>(item: Item) => z.object({ items: z.array(item), next: z.string().nullable() });

  app.get(
    "/v1/agents",
    { schema: { summary: "Every agent", querystring: pageSchema, response: { 200: listOf(agentSummarySchema) } } },
    async (request) => {
      await actorOf(request, []);
      const { items, next } = page(registry.current().agents, request.query);
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
      await actorOf(request, []);
      const { agents } = registry.current();
      const agent = agents.get(request.params.name);
      if (agent === undefined)
        throw new RemitError("not-found", `There is no agent "${request.params.name}"${didYouMean(request.params.name, agents.keys())}`);
      return viewAgent(agent, registry.current());
    },
  );

  app.get(
    "/v1/tools",
    { schema: { summary: "Every registered tool", querystring: pageSchema, response: { 200: listOf(toolViewSchema) } } },
    async (request) => {
      await actorOf(request, []);
      const { items, next } = page(registry.current().tools, request.query);
      return { items: items.map(viewTool), next };
    },
  );

  app.get(
    "/v1/tools/diff",
    { schema: { summary: "How tools differ from what was accepted", response: { 200: toolDifferencesSchema } } },
    async (request) => {
      await actorOf(request, []);
      return registry.toolDifferences();
    },
  );

  app.post(
    "/v1/tools/accept",
    { schema: { summary: "Accept what was shown of tools", body: acceptToolsSchema, response: { 200: acceptedToolsSchema } } },
    async (request) => {
      const actor = await actorOf(request, mayAccept);
      return registry.acceptTools({ ...request.body, actor });
    },
  );
}

/** A person with one of these roles, or whoever owns the data folder. */
async function actorOf(request: FastifyRequest, role: readonly Role[]): Promise<string> {
  if (request.headers.authorization?.startsWith("Machine ") === true) {
    requireMachine(request);
    return "service:machine";
  }
  return `party:${(await requirePerson(request, { role })).party}`;
}

/** The part of a map that comes after a cursor; its keys are in order, and the cursor is the last key that was given. */
function page<Value>(
  map: ReadonlyMap<string, Value>,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): { items: Value[]; next: string | null } {
  const rest = [...map].filter(([key]) => cursor === undefined || key > cursor);
  const items = rest.slice(0, limit);
  return { items: items.map(([, value]) => value), next: rest.length > limit ? (items.at(-1)?.[0] ?? null) : null };
}
