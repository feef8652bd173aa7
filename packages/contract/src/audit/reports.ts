import { z } from "zod";
import { shownPayloadSchema, storyApprovalSchema } from "../ledger/story.ts";
import { planChangeSchema } from "../registry/plan.ts";

/**
 * What a report was made from: sequenced entries of the ledger, the first and last that were looked at, and how many. Whoever exports
 * the same range can count them.
 */
export const populationSchema = z.object({
  first: z.int().nullable(),
  last: z.int().nullable(),
  count: z.int(),
  /** The range that was asked for, ISO 8601 in UTC; null: from the beginning, to the end. */
  since: z.string().nullable(),
  until: z.string().nullable(),
});
export type Population = z.infer<typeof populationSchema>;

const followingSchema = z.object({ actionId: z.string(), tool: z.string().nullable(), at: z.string(), seq: z.int() });

/** One action that ran, or was meant to: what it touched, who let it, and what it did next. */
export const accessSchema = z.object({
  seq: z.int(),
  actionId: z.string(),
  at: z.string(),
  agent: z.string().nullable(),
  accountable: z.string().nullable(),
  runId: z.string().nullable(),
  tool: z.string().nullable(),
  effect: z.string().nullable(),
  environment: z.string().nullable(),
  /** The policy set, its digest, and those of its policies that determined the decision. */
  policy: z.string().nullable(),
  policyDigest: z.string().nullable(),
  policies: z.array(z.string()),
  verdict: z.enum(["allow", "require-approval", "deny"]),
  /** How it ended; null while it has not. */
  outcome: z.string().nullable(),
  arguments: shownPayloadSchema.nullable(),
  /** Where the record that was looked for stands: JSON pointers, `/arguments` or `/result` first. */
  found: z.array(z.string()),
  /** What the same run did after it; at most ten. Empty outside a run, or where it was not asked for. */
  followed: z.array(followingSchema),
});
export type Access = z.infer<typeof accessSchema>;

/** A page of accesses. A search opens sealed payloads, a bounded number a page: a page may be short and still have a next one. */
export const accessPageSchema = z.object({ items: z.array(accessSchema), next: z.string().nullable(), examined: z.int() });
export type AccessPage = z.infer<typeof accessPageSchema>;

/** A request for approval from asking to its end. */
export const approvalTrailSchema = storyApprovalSchema.extend({
  actionId: z.string().nullable(),
  tool: z.string().nullable(),
  agent: z.string().nullable(),
  accountable: z.string().nullable(),
  /** Seconds from asking to the grant, denial or end; null while it is open. */
  waitedSeconds: z.number().nullable(),
});
export type ApprovalTrail = z.infer<typeof approvalTrailSchema>;

/** Kinds of exceptions: what was not the ordinary course of things, and somebody should have looked at. */
export const exceptionKinds = [
  "break-glass",
  "self-raised-limit",
  "waiver",
  "shadow-differs",
  "approved-by-owner",
  "delegated-approval",
  "changed-tool-accepted",
  "unknown-outcome",
  "halt",
  "injected-fault",
  "server-lost",
  "long-lived-token",
] as const;
/** One of {@link exceptionKinds}. */
export const exceptionKindSchema = z.enum(exceptionKinds);
export type ExceptionKind = z.infer<typeof exceptionKindSchema>;

/** One exception and the entry that proves it. */
export const exceptionSchema = z.object({
  kind: exceptionKindSchema,
  seq: z.int(),
  entryId: z.string(),
  at: z.string(),
  actor: z.string(),
  actionId: z.string().nullable(),
  /** One sentence. */
  what: z.string(),
});
export type Exception = z.infer<typeof exceptionSchema>;

/** Everything out of the ordinary in a range; `items` are the newest of each kind where there are too many, `counts` are of all. */
export const exceptionReportSchema = z.object({
  population: populationSchema,
  counts: z.partialRecord(exceptionKindSchema, z.int()),
  items: z.array(exceptionSchema),
  truncated: z.boolean(),
});
export type ExceptionReport = z.infer<typeof exceptionReportSchema>;

/** What one applied registry changed in who may do what. */
export const permissionChangeSchema = z.object({
  revision: z.int(),
  at: z.string(),
  by: z.string(),
  changes: z.array(planChangeSchema),
});
export type PermissionChange = z.infer<typeof permissionChangeSchema>;

/** Tokens that were handed out, and what they rest on, over a range. Nothing in it is a secret. */
export const tokenReportSchema = z.object({
  population: populationSchema,
  tokens: z.object({
    issued: z.int(),
    /** By code. */
    refused: z.record(z.string(), z.int()),
    byAgent: z.array(z.object({ agent: z.string(), issued: z.int(), longestSeconds: z.number() })),
    /** What no token may outlive, and the longest that was handed out. */
    limitSeconds: z.int(),
    longestSeconds: z.number().nullable(),
  }),
  /** Agents' own secrets: when they were issued, when they end, and whether they were retired. */
  secrets: z.array(
    z.object({
      agent: z.string(),
      secret: z.string(),
      issuedAt: z.string(),
      expiresAt: z.string().nullable(),
      retiredAt: z.string().nullable(),
    }),
  ),
  /** Stored secrets of upstreams: every version and when it came. */
  stored: z.array(z.object({ path: z.string(), version: z.number().nullable(), event: z.string(), at: z.string(), by: z.string() })),
  leases: z.object({ issued: z.int(), revoked: z.int(), longestSeconds: z.number().nullable() }),
});
export type TokenReport = z.infer<typeof tokenReportSchema>;
