import {
  credentialViewSchema,
  leaseViewSchema,
  revokeLeasesSchema,
  rotateSecretSchema,
  secretPathSchema,
  secretViewSchema,
  storeSecretSchema,
} from "@remit/contract";
import type { Registry } from "@remit/core";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageQuerySchema, pageSchema } from "../http/page.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { secretPathsOf } from "./credential-paths.ts";
import { viewCredentials } from "./credential-views.ts";
import type { Grants } from "./grants.service.ts";
import type { Leases } from "./leases.ts";
import type { Secrets } from "./secrets.ts";

const operators = { role: ["operator", "admin"] } as const;

/** No answer of these has a value in it: what goes in comes out at upstreams alone. */
export function registerSecretRoutes(
  app: App,
  deps: { secrets: Secrets; leases: Pick<Leases, "list" | "revoke">; grants: Pick<Grants, "list">; registry: RegistrySource },
): void {
  const { secrets, leases } = deps;
  app.get(
    "/v1/secrets",
    {
      schema: {
        summary: "The secrets that are kept, without their values",
        querystring: pageQuerySchema,
        response: { 200: pageSchema(secretViewSchema) },
      },
    },
    async (request) => {
      await requireActor(request, operators);
      return secrets.list(request.query);
    },
  );

  app.post(
    "/v1/secrets",
    { schema: { summary: "Keep a secret", body: storeSecretSchema, response: { 201: secretViewSchema } } },
    async (request, reply) => {
      const actor = await requireActor(request, operators);
      return reply.code(201).send(await secrets.set(request.body, actor));
    },
  );

  app.post(
    "/v1/secrets/rotate",
    { schema: { summary: "Give a secret a new version", body: rotateSecretSchema, response: { 200: secretViewSchema } } },
    async (request) => {
      const actor = await requireActor(request, operators);
      return secrets.rotate(request.body, actor);
    },
  );

  app.post(
    "/v1/secrets/remove",
    { schema: { summary: "Destroy a secret", body: z.strictObject({ path: secretPathSchema, force: z.boolean().default(false) }) } },
    async (request, reply) => {
      const actor = await requireActor(request, operators);
      await secrets.remove(request.body.path, { force: request.body.force }, actor);
      return reply.code(204).send();
    },
  );

  app.get(
    "/v1/credentials",
    {
      schema: {
        summary: "What upstreams are shown, and what keeps it from that",
        response: { 200: z.object({ items: z.array(credentialViewSchema), next: z.null() }) },
      },
    },
    async (request) => {
      await requireActor(request, operators);
      const registry = inForce(deps.registry);
      // Before the first registry there are none.
      if (registry === null) return { items: [], next: null };
      const paths = [...new Set([...registry.credentials.values()].flatMap(secretPathsOf))];
      return { items: viewCredentials(registry, await secrets.which(paths), await deps.grants.list()), next: null };
    },
  );

  app.get(
    "/v1/leases",
    {
      schema: {
        summary: "Who may use which credential of which upstream",
        querystring: pageQuerySchema.extend({ live: z.stringbool().default(true) }),
        response: { 200: pageSchema(leaseViewSchema) },
      },
    },
    async (request) => {
      await requireActor(request, operators);
      return leases.list(request.query);
    },
  );

  app.post(
    "/v1/leases/revoke",
    { schema: { summary: "End leases now, on every server", body: revokeLeasesSchema, response: { 200: z.object({ leases: z.int() }) } } },
    async (request) => {
      const actor = await requireActor(request, operators);
      return { leases: await leases.revoke(request.body, actor) };
    },
  );
}

function inForce(source: RegistrySource): Registry | null {
  try {
    return source.current();
  } catch {
    return null;
  }
}
