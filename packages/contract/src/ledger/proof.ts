import { z } from "zod";

/**
 * Proof that the ledger of `to` entries continues the one of `from` (RFC 6962, 2.1.2). Hashes in base64.
 * A checkpoint is there where one was signed at exactly that size, with its cosignatures; roots without one are signed by nobody.
 */
export const consistencyProofSchema = z.object({
  from: z.int(),
  to: z.int(),
  proof: z.array(z.string()),
  fromRoot: z.string(),
  toRoot: z.string(),
  fromCheckpoint: z.string().nullable(),
  toCheckpoint: z.string().nullable(),
});
export type ConsistencyProof = z.infer<typeof consistencyProofSchema>;
