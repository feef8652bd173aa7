import { z } from "zod";
import { durationSchema } from "../registry/name.ts";
import { secretPathSchema } from "./credential.ts";

const maxSecretLength = 64 * 1024;

/** A value to keep. It is written once and never given out by the API. */
export const storeSecretSchema = z.strictObject({
  path: secretPathSchema,
  value: z.string().min(1).max(maxSecretLength),
});
export type StoreSecret = z.infer<typeof storeSecretSchema>;

/** A new version. Leases of the one before go on with it for the overlap; then it is destroyed. */
export const rotateSecretSchema = storeSecretSchema.extend({ overlap: durationSchema.default("PT1H") });
export type RotateSecret = z.infer<typeof rotateSecretSchema>;

/** What may be known of a secret: everything but its value. */
export const secretViewSchema = z.object({
  path: z.string(),
  /** The version that new leases get. */
  version: z.int(),
  /** Versions that can still be used: the newest, and those whose overlap has not ended. */
  versions: z.array(z.object({ version: z.int(), createdAt: z.string(), createdBy: z.string(), destroyAt: z.string().nullable() })),
  /** Credentials of the registry that name it. */
  usedBy: z.array(z.string()),
});
export type SecretView = z.infer<typeof secretViewSchema>;

/** What leases to take back. */
export const revokeLeasesSchema = z.strictObject({
  scope: z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("everything") }),
    z.strictObject({ type: z.literal("run"), name: z.string() }),
    z.strictObject({ type: z.literal("agent"), name: z.string() }),
    z.strictObject({ type: z.literal("upstream"), name: z.string() }),
    z.strictObject({ type: z.literal("credential"), name: z.string() }),
    /** Secrets at this path or below it. */
    z.strictObject({ type: z.literal("prefix"), name: secretPathSchema }),
  ]),
  reason: z.string().trim().min(1).max(500),
});
export type RevokeLeases = z.infer<typeof revokeLeasesSchema>;

/** One right to use a credential for a while. */
export const leaseViewSchema = z.object({
  id: z.string(),
  credential: z.string(),
  upstream: z.string(),
  /** Null: the connection itself, which all agents share. */
  agent: z.string().nullable(),
  run: z.string().nullable(),
  person: z.string().nullable(),
  issuedAt: z.string(),
  expiresAt: z.string(),
  endedAt: z.string().nullable(),
  endedReason: z.string().nullable(),
});
export type LeaseView = z.infer<typeof leaseViewSchema>;
