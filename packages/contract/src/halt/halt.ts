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

/** One halt in force. Releasing needs two people; `releaseRequestedBy` is the first of them. */
export const haltViewSchema = z.object({
  id: z.string(),
  mode: haltModeSchema,
  scope: haltScopeSchema,
  reason: z.string(),
  engagedBy: z.string(),
  engagedAt: z.string(),
  releaseRequestedBy: z.string().nullable(),
});
export type HaltView = z.infer<typeof haltViewSchema>;
