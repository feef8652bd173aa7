import { z } from "zod";

/**
 * What an entry says of one of its payloads. The salt of the commitment is inside the ciphertext:
 * once the subject's key is erased nobody can guess the payload from the commitment, and every proof still holds.
 */
export const payloadCommitmentSchema = z.object({
  /** HMAC-SHA-256 of the canonical payload under its salt, hexadecimal. */
  commitment: z.string(),
  /** SHA-256 of the ciphertext, hexadecimal. */
  sealed: z.string(),
});
export type PayloadCommitment = z.infer<typeof payloadCommitmentSchema>;

/**
 * An entry as it is hashed, stored and given out: a CloudEvents 1.0 event (https://github.com/cloudevents/spec), in canonical JSON.
 * `actor`, `actionid`, `runid`, `approvalid` and `traceid` are extension attributes. Unknown members of `data` are kept.
 */
export const ledgerEventSchema = z.object({
  specversion: z.literal("1.0"),
  id: z.string(),
  /** The origin of the ledger: the first line of its checkpoints. */
  source: z.string(),
  /** `remit.` and the entry's type. */
  type: z.string().startsWith("remit."),
  /** When it happened, ISO 8601 in UTC with milliseconds. */
  time: z.string(),
  datacontenttype: z.literal("application/json"),
  actor: z.string(),
  actionid: z.string().optional(),
  runid: z.string().optional(),
  approvalid: z.string().optional(),
  traceid: z.string().optional(),
  /** The facts of the entry. `payloads` is reserved for the commitments, by name of the payload. */
  data: z.looseObject({ payloads: z.record(z.string(), payloadCommitmentSchema).optional() }),
});
export type LedgerEvent = z.infer<typeof ledgerEventSchema>;

/** An entry and its place in the ledger. */
export const recordedEventSchema = z.object({
  /** Its sequence number from 0; null while it is committed but not yet sequenced. */
  seq: z.int().nullable(),
  event: ledgerEventSchema,
});
export type RecordedEvent = z.infer<typeof recordedEventSchema>;
