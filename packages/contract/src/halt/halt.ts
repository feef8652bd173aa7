import { z } from "zod";
import { nameSchema, qualifiedToolNameSchema } from "../registry/name.ts";
import { idSchema } from "../id/id.ts";

/** What a halt stops. */
export const haltScopeSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("everything") }),
  z.strictObject({ type: z.literal("environment"), name: nameSchema }),
  z.strictObject({ type: z.literal("agent"), name: nameSchema }),
  z.strictObject({ type: z.literal("tool"), name: qualifiedToolNameSchema }),
  z.strictObject({ type: z.literal("upstream"), name: nameSchema }),
  z.strictObject({ type: z.literal("run"), name: idSchema("run") }),
]);
export type HaltScope = z.infer<typeof haltScopeSchema>;

/** Read-only operation is a halt of everything that is not a read. */
export const haltModeSchema = z.enum(["halt", "safe-mode"]);
export type HaltMode = z.infer<typeof haltModeSchema>;

/** How far a halt has reached, as the servers that share the database say themselves. Milliseconds since the command, by the database's clock. */
export const haltReachSchema = z.object({
  /** Servers that are alive. */
  servers: z.int(),
  /** Those of them that have applied it: nothing that it covers begins on them any more. */
  confirmed: z.int(),
  /** Those that have not, by name. What they begin is refused when its intent is committed, but what they execute goes on. */
  missing: z.array(z.string()),
  /** When the last of them confirmed; null while one is missing. */
  confirmedMs: z.number().nullable(),
  /** When the last action that it covers began to execute on any server that has confirmed: 0 where none did after the command. */
  lastStartMs: z.number().nullable(),
  /** Actions that were executing and were cancelled. */
  cancelled: z.int(),
});
export type HaltReach = z.infer<typeof haltReachSchema>;

/** One halt in force. Releasing needs two people; `releaseRequestedBy` is the first of them. */
export const haltViewSchema = z.object({
  id: z.string(),
  mode: haltModeSchema,
  scope: haltScopeSchema,
  reason: z.string(),
  engagedBy: z.string(),
  engagedAt: z.string(),
  releaseRequestedBy: z.string().nullable(),
  reach: haltReachSchema.optional(),
});
export type HaltView = z.infer<typeof haltViewSchema>;
