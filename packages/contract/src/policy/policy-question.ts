import { z } from "zod";
import { tierSchema } from "../registry/asset.ts";
import { nameSchema, qualifiedToolNameSchema } from "../registry/name.ts";

/** Facts that a question sets; the others are those of a quiet Tuesday at noon. */
export const policyFactsSchema = z.strictObject({
  weekday: z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]).optional(),
  hour: z.int().min(0).max(23).optional(),
  date: z.iso.date().optional(),
  runActions: z.int().min(0).optional(),
  runActionsLimit: z.int().min(0).optional(),
  actionsThisMinute: z.int().min(0).optional(),
  actionsToday: z.int().min(0).optional(),
  amountToday: z.int().min(0).optional(),
});

/** A call that nobody made: what would be said of it? */
export const policyQuestionSchema = z.strictObject({
  agent: nameSchema,
  tool: qualifiedToolNameSchema,
  /** Default: the agent's first policy. */
  policy: nameSchema.optional(),
  /** Default: the agent's. */
  roles: z.array(nameSchema).optional(),
  tier: tierSchema.optional(),
  /** Default: none. */
  queue: nameSchema.nullable().optional(),
  /** Default: the agent's first environment. */
  environment: nameSchema.optional(),
  workflow: nameSchema.nullable().optional(),
  input: z.record(z.string(), z.unknown()).default({}),
  facts: policyFactsSchema.default({}),
  /** Teams that have approved it. */
  approvals: z.array(nameSchema).default([]),
});
export type PolicyQuestion = z.infer<typeof policyQuestionSchema>;

/** One case of a `*.test.yaml` file. What `expect` leaves out is not compared. */
export const policyCaseSchema = policyQuestionSchema.extend({
  name: z.string().min(1).max(200),
  expect: z.strictObject({
    verdict: z.enum(["allow", "require-approval", "deny"]),
    code: z.string().optional(),
    /** Teams that are asked. */
    approvals: z.array(z.string()).optional(),
    /** Ids of the policies that determined it. */
    policies: z.array(z.string()).optional(),
    /** Types of the obligations. */
    obligations: z.array(z.string()).optional(),
    /** Ids of the shadow policies that would have changed it. */
    shadow: z.array(z.string()).optional(),
  }),
});
export type PolicyCase = z.infer<typeof policyCaseSchema>;

/** A file of cases: `policies/<set>/<name>.test.yaml`. */
export const policyTestFileSchema = z.strictObject({ cases: z.array(policyCaseSchema) });
