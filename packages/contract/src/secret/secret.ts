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

/** A new version. What is under way goes on with the one before, nothing new gets it, and when the overlap is over it is destroyed. */
export const rotateSecretSchema = storeSecretSchema.extend({ overlap: durationSchema.default("PT1H") });
export type RotateSecret = z.infer<typeof rotateSecretSchema>;

/** What may be known of a secret: everything but its value. */
export const secretViewSchema = z.object({
  path: z.string(),
  /** The version that new leases get. */
  version: z.int(),
  /** Versions that are kept: the newest, and those whose overlap has not ended. */
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

/** Whether somebody has let Remit in at an upstream. */
export const connectionViewSchema = z.object({
  upstream: z.string(),
  credential: z.string(),
  /** Whose grant it is; null: one for all. */
  person: z.string().nullable(),
  /** `wanted`: somebody has to consent; `expired`: somebody has to consent again. */
  state: z.enum(["wanted", "connected", "expired"]),
  reason: z.string().nullable(),
  /** Scopes that the upstream asked for and that are not granted yet. */
  wanted: z.array(z.string()),
  connectedBy: z.string().nullable(),
  connectedAt: z.string().nullable(),
  /** Until when the access token is good; it is refreshed before. */
  expiresAt: z.string().nullable(),
});
export type ConnectionView = z.infer<typeof connectionViewSchema>;

/** Asks to be sent to where consent is given. */
export const beginConnectionSchema = z.strictObject({
  upstream: z.string().min(1).max(64),
  /** Which of the upstream's credentials, where several want consent. */
  credential: z.string().min(1).max(64).optional(),
});

/** Where to go. With `page`, the person opens that page of Remit in a browser that is logged in; otherwise the URL itself. */
export const begunConnectionSchema = z.object({
  upstream: z.string(),
  credential: z.string(),
  person: z.string().nullable(),
  authorizationUrl: z.string().nullable(),
  page: z.string().nullable(),
  expiresAt: z.string().nullable(),
});
export type BegunConnection = z.infer<typeof begunConnectionSchema>;

/** One credential of the registry, and what is to be known of it. */
export const credentialViewSchema = z.object({
  name: z.string(),
  owner: z.string(),
  /** Where it comes from, and how it is used: the types of the two. */
  from: z.string(),
  use: z.string(),
  upstreams: z.array(z.string()),
  /** What keeps it from being shown, as a sentence, or null. */
  problem: z.string().nullable(),
  /** What whoever relies on it should know, or null. */
  remark: z.string().nullable(),
});
export type CredentialView = z.infer<typeof credentialViewSchema>;
