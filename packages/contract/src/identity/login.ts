import { z } from "zod";
import { roleSchema } from "../registry/asset.ts";
import { nameSchema } from "../registry/name.ts";

/** Asking for a one-time login link for somebody. */
export const issueLinkSchema = z.strictObject({ party: nameSchema });

/** A one-time login link: good once, for ten minutes. */
export const loginLinkSchema = z.object({ url: z.string(), expiresAt: z.string() });
export type LoginLink = z.infer<typeof loginLinkSchema>;

/** Turning a link into a session, for programs: the link's URL or only its token. */
export const startSessionSchema = z.strictObject({ link: z.string().min(1).max(500) });

/** Who is logged in. */
export const meSchema = z.object({
  party: z.string(),
  displayName: z.string(),
  roles: z.array(roleSchema),
  /** Teams that the person is a member of: what they may be asked to approve. */
  teams: z.array(z.string()),
  /** To be sent back as `x-remit-csrf` by a page whose cookie logs it in. */
  csrf: z.string(),
});
export type Me = z.infer<typeof meSchema>;

/** A new session. The token is shown once; sent as `Authorization: Bearer`. */
export const startedSessionSchema = z.object({ token: z.string(), expiresAt: z.string(), person: meSchema.omit({ csrf: true }) });
export type StartedSession = z.infer<typeof startedSessionSchema>;
