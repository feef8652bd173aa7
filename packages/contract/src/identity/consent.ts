import { z } from "zod";

/** A person's leave for one client to act as one agent that the person answers for, in one environment and under some of its policies. */
export const consentViewSchema = z.object({
  id: z.string(),
  /** The URL of the client's metadata document (OAuth Client ID Metadata Document). */
  client: z.string(),
  /** What the client calls itself. */
  clientName: z.string(),
  party: z.string(),
  agent: z.string(),
  environment: z.string(),
  policies: z.array(z.string()),
  givenAt: z.string(),
  /** The client has to ask again after this. */
  expiresAt: z.string(),
  withdrawnAt: z.string().nullable(),
});
export type ConsentView = z.infer<typeof consentViewSchema>;
