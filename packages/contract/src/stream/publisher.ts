import { z } from "zod";

/** How far the ledger has been published to a broker. */
export const publisherViewSchema = z.object({
  /** `nats:` and the stream. */
  name: z.string(),
  /** The sequence number of the next event. */
  place: z.int(),
  /** How many events there are from there on. */
  behind: z.int(),
  /** Whether a server is at it. */
  active: z.boolean(),
});
export type PublisherView = z.infer<typeof publisherViewSchema>;

/** Where publishing goes on: the sequence number of the next event. */
export const movePublisherSchema = z.strictObject({ from: z.int().min(0) });
