import { z } from "zod";

const verdictSchema = z.enum(["allow", "require-approval", "deny"]);

/** What would be said of a call, and why. */
export const policyExplanationSchema = z.object({
  verdict: verdictSchema,
  code: z.string().nullable(),
  reason: z.string().nullable(),
  approvals: z.array(z.string()),
  obligations: z.array(z.string()),
  /** Ids of the policies that determined it. */
  determining: z.array(z.string()),
  /** The policies whose heads name this agent, tool and place, condition by condition. */
  policies: z.array(
    z.object({
      id: z.string(),
      source: z.string(),
      kind: z.enum(["grant", "gate", "stop", "obligation"]),
      shadow: z.boolean(),
      /** `error`: it could not be evaluated, which denies. */
      applies: z.enum(["yes", "no", "error"]),
      /** Each must hold for the policy to apply. `error`: it cannot be evaluated by itself. */
      conditions: z.array(z.object({ text: z.string(), holds: z.enum(["yes", "no", "error"]) })),
    }),
  ),
  /** Grants of this tool that name another agent or place, and what of them does not fit. */
  near: z.array(z.object({ id: z.string(), source: z.string(), text: z.string() })),
  /** Single changes that would turn the verdict, the smallest of each kind; each was tried. */
  changes: z.array(z.object({ change: z.string(), verdict: verdictSchema })),
});
export type PolicyExplanation = z.infer<typeof policyExplanationSchema>;

/** What an agent can do: asked about every tool that it is granted, in every place that it works in. */
export const agentAbilitiesSchema = z.object({
  agent: z.string(),
  policy: z.string(),
  tier: z.int(),
  abilities: z.array(
    z.object({
      tool: z.string(),
      effect: z.enum(["read", "propose", "write"]),
      environment: z.string(),
      queue: z.string().nullable(),
      /** `depends`: on arguments or facts, as the lines under it say. */
      answer: z.enum(["allowed", "asks", "depends", "never"]),
      /** Teams that are, or may be, asked. */
      teams: z.array(z.string()),
      /** In plain words, one thing each. */
      lines: z.array(z.string()),
    }),
  ),
});
export type AgentAbilities = z.infer<typeof agentAbilitiesSchema>;

/** A remark about a policy. `error` keeps the registry from coming into force. */
export const policyFindingSchema = z.object({
  severity: z.enum(["error", "warning", "note"]),
  message: z.string(),
  file: z.string().optional(),
  line: z.int().optional(),
  policy: z.string().optional(),
});

/** How the tests of policy sets ended. */
export const policyTestReportSchema = z.object({
  passed: z.int(),
  failed: z.int(),
  cases: z.array(
    z.object({
      policy: z.string(),
      file: z.string(),
      line: z.int(),
      name: z.string(),
      ok: z.boolean(),
      /** What differs, in words. */
      differences: z.array(z.string()),
    }),
  ),
  /** How many small changes of the policies these cases notice. A survivor is a rule that no case holds in place. */
  mutation: z.object({
    changes: z.int(),
    noticed: z.int(),
    survivors: z.array(z.object({ policy: z.string(), source: z.string(), change: z.string() })),
  }),
});
export type PolicyTestReport = z.infer<typeof policyTestReportSchema>;
