import { z } from "zod";
import { digestSchema, idSchema } from "../id/id.ts";
import { nameSchema } from "../registry/name.ts";

/** What a run's token carries besides, as it stands in the token; see RunBinding. */
const runBindingSchema = z.strictObject({
  id: idSchema("run"),
  workflow: nameSchema,
  queue: z.string().nullable(),
  subject: z.string().nullable(),
  maxActions: z.int().min(0),
  deadline: z.int(),
  requireApproval: z.array(z.string()),
  approvers: z.string(),
  serviceName: z.string().nullable(),
});

/**
 * The claims of an agent's access token: RFC 9068 (`iss aud sub client_id iat exp jti scope`), and ours.
 * `sub` is the agent's SPIFFE id; `aud` is exactly one resource.
 */
export const agentClaimsSchema = z.object({
  iss: z.string(),
  aud: z.string(),
  sub: z.string().startsWith("spiffe://"),
  /** The agent itself, or the OAuth client that a person let act as it. */
  client_id: z.string().min(1).max(2_048),
  iat: z.int(),
  exp: z.int(),
  jti: idSchema("token"),
  scope: z.string(),
  agent: nameSchema,
  version: digestSchema,
  accountable: nameSchema,
  environment: nameSchema,
  policy: nameSchema,
  /** Left out where there are none. */
  furtherPolicies: z.array(nameSchema).optional(),
  /** The client secret that the token was got with; null for a run's token, and for that of a person's client. */
  secret: idSchema("secret").nullable(),
  /** The consent by which a person's client acts as the agent; null for every other token. */
  consent: idSchema("consent").nullable(),
  run: runBindingSchema.nullable(),
});
export type AgentClaims = z.infer<typeof agentClaimsSchema>;
