import { z } from "zod";

/** Asking for a client secret of an agent. */
export const issueSecretSchema = z.strictObject({
  /** Rotate by issuing the next one before this one ends: several are good at once. */
  expiresInDays: z.int().min(1).max(365).default(90),
});

/** A client secret as it is shown, once. */
export const issuedSecretSchema = z.object({
  id: z.string(),
  clientId: z.string(),
  clientSecret: z.string(),
  expiresAt: z.string(),
  tokenEndpoint: z.string(),
  /** The `resource` (RFC 8707) to ask tokens for. */
  resource: z.string(),
});
export type IssuedSecret = z.infer<typeof issuedSecretSchema>;

/** A client secret as it is listed: everything but the secret. */
export const agentSecretSchema = z.object({
  id: z.string(),
  agent: z.string(),
  createdAt: z.string(),
  createdBy: z.string(),
  expiresAt: z.string(),
  retiredAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
});
export type AgentSecret = z.infer<typeof agentSecretSchema>;
