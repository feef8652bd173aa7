import { z } from "zod";
import type { ErrorCode } from "../error/error.ts";

/** What can be looked for in text: each has a checksum or a shape that little else has. */
export const detectorSchema = z.enum(["payment-card", "iban", "secret", "email"]);
export type Detector = z.infer<typeof detectorSchema>;

/** What the executor must do besides executing. One that it cannot do means: denied. */
export const obligationSchema = z.discriminatedUnion("type", [
  /** Replace what these JSON pointers name in the result (`*` for every element or member), and what these detectors find anywhere in it. */
  z
    .strictObject({
      type: z.literal("redact"),
      policy: z.string(),
      pointers: z.array(z.string().startsWith("/")).default([]),
      detect: z.array(detectorSchema).min(1).exactOptional(),
    })
    .refine(({ pointers, detect }) => pointers.length > 0 || detect !== undefined, "say what: pointers, detect or both"),
  /** Count the action against a window before it runs. `amount` counts the tool's amount, `actions` counts one. */
  z.strictObject({
    type: z.literal("cap"),
    policy: z.string(),
    counts: z.enum(["actions", "amount"]),
    limit: z.int().min(0),
    per: z.enum(["minute", "hour", "day"]),
    /** Whose window it is. */
    scope: z.enum(["agent", "run", "tool", "organisation"]).default("agent"),
  }),
  /** Tell these parties or teams that it happened. */
  z.strictObject({ type: z.literal("notify"), policy: z.string(), to: z.array(z.string()).min(1) }),
  /** The result must cite its sources: this pointer must name a non-empty array. */
  z.strictObject({ type: z.literal("require_citation"), policy: z.string(), pointer: z.string().startsWith("/").default("/citations") }),
]);
export type Obligation = z.infer<typeof obligationSchema>;

/** A shadow policy that would have changed the verdict. It decided nothing. */
export type ShadowEffect = { policy: string; verdict: "allow" | "require-approval" | "deny" };

/** An approval that would turn the denial into a permission: the team to ask, and the gates that ask for it. */
export type RequiredApproval = {
  team: string;
  gates: string[];
  expiresAfter?: string;
  /** Why, in the words of those who wrote the gates: their `@reason`. */
  reasons?: string[];
};

/** What is said of one action, by policy and by everything else on its path. */
export type Decision = { policies: string[]; shadow: ShadowEffect[] } & (
  | { type: "allow"; obligations: Obligation[] }
  | { type: "require-approval"; approvals: RequiredApproval[]; obligations: Obligation[] }
  | { type: "deny"; code: ErrorCode; reason: string }
);
