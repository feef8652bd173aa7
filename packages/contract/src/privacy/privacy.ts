import { z } from "zod";
import { storyActionSchema } from "../ledger/story.ts";
import { ledgerEventSchema } from "../ledger/event.ts";

/** A hold: nothing about its subject is erased or purged while it is in force. Releasing takes two people. */
export const holdViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** `customer:C-1042`, or null where everything is held. */
  subject: z.string().nullable(),
  reason: z.string(),
  placedBy: z.string(),
  placedAt: z.string(),
  releaseRequestedBy: z.string().nullable(),
  releasedAt: z.string().nullable(),
});
export type HoldView = z.infer<typeof holdViewSchema>;

/** Somebody about whom something is held. */
export const subjectViewSchema = z.object({
  subject: z.string(),
  /** What the ledger calls the subject's key. */
  key: z.string(),
  firstSeenAt: z.string(),
  holds: z.array(z.string()),
});
export type SubjectView = z.infer<typeof subjectViewSchema>;

/** What an erasure takes away, or has taken. */
export const erasureViewSchema = z.object({
  subject: z.string(),
  key: z.string(),
  erased: z.boolean(),
  /** Sealed payloads that open no more; `shared`: those of them that are about others too. */
  payloads: z.int(),
  shared: z.int(),
  entries: z.int(),
  /** Requests for approval that end, because nobody can be shown any more what they ask for. */
  approvals: z.int(),
  /** Pieces of work that are emptied and set aside. */
  items: z.int(),
  /** Names of the holds that stand against it. */
  holds: z.array(z.string()),
  /** Whether the tables that held keys have been rewritten; null: not erased. False: the database's owner has to. */
  rewritten: z.boolean().nullable(),
  /** The entry that records it. */
  entry: z.string().nullable(),
});
export type ErasureView = z.infer<typeof erasureViewSchema>;

const exportedPayloadSchema = z.object({
  /** `shared`: it is about others too, and was not asked for. */
  state: z.enum(["open", "erased", "damaged", "shared"]),
  value: z.record(z.string(), z.unknown()).nullable(),
});

/** One page of everything that is held about a subject. */
export const subjectExportSchema = z.object({
  subject: z.string(),
  key: z.string(),
  exportedAt: z.string(),
  entries: z.array(z.object({ seq: z.int().nullable(), event: ledgerEventSchema, payloads: z.record(z.string(), exportedPayloadSchema) })),
  /** The same entries told as actions: what was asked, who approved it on what evidence, what came of it. */
  actions: z.array(storyActionSchema),
  next: z.string().nullable(),
});
export type SubjectExport = z.infer<typeof subjectExportSchema>;

/** What was asked and done about data subjects, from the ledger. */
export const privacyRequestViewSchema = z.object({
  entry: z.string(),
  at: z.string(),
  type: z.string(),
  actor: z.string(),
  key: z.string().nullable(),
  reason: z.string().nullable(),
  counts: z.record(z.string(), z.unknown()),
});
export type PrivacyRequestView = z.infer<typeof privacyRequestViewSchema>;

/** What retention takes away, or has taken. */
export const retentionViewSchema = z.object({
  purged: z.boolean(),
  keys: z.array(
    z.object({ class: z.string(), sensitivity: z.string(), day: z.string(), schedule: z.string(), payloads: z.int(), held: z.int() }),
  ),
  /** Rows of what has ended, by table; before this moment. */
  rowsBefore: z.string().nullable(),
  rows: z.record(z.string(), z.int()),
  /** The hold of everything that stands against all of it. */
  heldBy: z.string().nullable(),
});
export type RetentionView = z.infer<typeof retentionViewSchema>;
