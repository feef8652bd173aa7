import { z } from "zod";

/** When something about a key was said, and the entry that says it. `seq` is null while the entry waits for its place. */
const statedSchema = z.object({ entryId: z.string(), seq: z.int().nullable(), at: z.string() });

/** A key of the ledger as a verifier key string of C2SP signed-note. A key that is retired still verifies the checkpoints up to then. */
export const ledgerKeyViewSchema = z.object({
  vkey: z.string(),
  type: z.string(),
  state: z.enum(["signing", "retired"]),
  /** Where its private half is: sealed in the database, or with the program that signs. */
  held: z.enum(["sealed", "command"]),
  since: statedSchema,
  retired: statedSchema.nullable(),
});

/** The keys that sign the ledger's checkpoints, now and before. Each change is an entry of the ledger; the proof of that entry binds the list. */
export const ledgerKeysViewSchema = z.object({ origin: z.string(), keys: z.array(ledgerKeyViewSchema) });
export type LedgerKeysView = z.infer<typeof ledgerKeysViewSchema>;

/** One of the two steps in which the ledger's keys are replaced. */
export const rotateLedgerKeySchema = z.strictObject({
  /** `begin`: a new key signs beside the old ones. `finish`: the old ones no longer sign. */
  step: z.enum(["begin", "finish"]),
});
