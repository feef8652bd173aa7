import { z } from "zod";
import { payloadForms } from "./bundle.ts";

const place = z
  .string()
  .max(40)
  .regex(/^(?:0|[1-9][0-9]{0,15}|\d{4}-\d\d-\d\dT[0-9:.]+Z)$/, "A sequence number, or a time in ISO 8601 and UTC, is expected");

/** What to export. */
export const exportRequestSchema = z.strictObject({
  /** From this entry, or this time, on. Without it, from the first. */
  from: place.optional(),
  /** Up to and with this entry, or before this time. Without it, up to the last that is signed. */
  to: place.optional(),
  payloads: z.enum(payloadForms).default("sealed"),
  /** A checkpoint (a signed note) that was kept from before: the bundle proves that it is continued. */
  since: z.string().min(1).max(100_000).optional(),
});
export type ExportRequest = z.infer<typeof exportRequestSchema>;
