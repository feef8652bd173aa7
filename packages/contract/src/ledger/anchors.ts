import { z } from "zod";
import { anchorSummarySchema } from "./verdict.ts";

/** How it stands with everybody outside who keeps checkpoints of the ledger. */
export const anchorsViewSchema = anchorSummarySchema.extend({
  status: z.enum(["UNANCHORED", "WITNESSED"]),
  /** How long ago that was; null when it never was. */
  ageSeconds: z.number().nullable(),
  /** Entries that have come since. */
  behind: z.int(),
  witnesses: z.array(
    z.object({
      name: z.string(),
      organisation: z.string(),
      vkey: z.string(),
      url: z.string().nullable(),
      /** The newest size that it has signed. */
      size: z.int().nullable(),
      at: z.string().nullable(),
      /** Why it cannot be reached or does not sign; null when nothing is wrong. */
      problem: z.string().nullable(),
    }),
  ),
  /** Places that keep checkpoints without signing anything: they are no witnesses and count for none. */
  sinks: z.array(z.object({ place: z.string(), size: z.int(), at: z.string().nullable(), problem: z.string().nullable() })),
  /** Contradictions between this ledger and what it signed before: the two notes prove them to anybody. */
  splitViews: z.array(z.object({ seenAt: z.string(), what: z.string(), at: z.string(), ours: z.string(), theirs: z.string() })),
});
export type AnchorsView = z.infer<typeof anchorsViewSchema>;
