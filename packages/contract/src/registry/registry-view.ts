import { z } from "zod";
import { digestSchema } from "../id/id.ts";
import { agentSpecSchema, effectSchema, policySpecSchema, tierSchema, toolSpecSchema } from "./asset.ts";

/** What an agent's version is made of; its digest is the version. Every part is named by the digest of its own content. */
export const agentClosureSchema = z.object({
  agent: digestSchema,
  prompt: digestSchema.nullable(),
  /** By qualified name: the tool's own document, what was accepted of it (null: nothing yet), and the upstream that offers it. */
  tools: z.record(z.string(), z.object({ spec: digestSchema, pin: digestSchema.nullable(), upstream: digestSchema })),
  /** The agent's policy sets and the organisation's guard. */
  policies: z.record(z.string(), digestSchema),
  /** The workflows that use it. */
  workflows: z.record(z.string(), digestSchema),
});
export type AgentClosure = z.infer<typeof agentClosureSchema>;

/** What a version of a policy set holds: its document, and the texts of its `.cedar` files. */
export const policyVersionSchema = z.object({ spec: policySpecSchema, sources: z.array(z.object({ file: z.string(), text: z.string() })) });

const suspendedSchema = z.object({ code: z.enum(["no-accountable-human", "agent-suspended"]), reason: z.string() });

/** Whether a tool says what was accepted of it. `changed`: it says something else; `missing`: its upstream does not offer it. Both are blocked. */
export const toolStateSchema = z.enum(["accepted", "changed", "missing"]);

/** The registry in force, in short. */
export const registryViewSchema = z.object({
  digest: digestSchema,
  revision: z.int(),
  appliedAt: z.string(),
  appliedBy: z.string(),
  organisation: z.object({ name: z.string(), trustDomain: z.string(), timeZone: z.string(), guard: z.string().nullable() }),
  /** How many there are of each kind. */
  counts: z.record(z.string(), z.int()),
});
export type RegistryView = z.infer<typeof registryViewSchema>;

/** One agent in a list. */
export const agentSummarySchema = z.object({
  name: z.string(),
  version: digestSchema,
  purpose: z.string(),
  accountable: z.string(),
  tier: tierSchema,
  suspended: suspendedSchema.nullable(),
});
export type AgentSummary = z.infer<typeof agentSummarySchema>;

/** One agent whole. */
export const agentViewSchema = z.object({
  spec: agentSpecSchema,
  version: digestSchema,
  closure: agentClosureSchema,
  suspended: suspendedSchema.nullable(),
  /** What it is registered to call; policy decides of each call. */
  tools: z.array(z.object({ tool: z.string(), effect: effectSchema, state: toolStateSchema })),
});
export type AgentView = z.infer<typeof agentViewSchema>;

/** One registered tool. */
export const toolViewSchema = z.object({
  tool: z.string(),
  spec: toolSpecSchema,
  state: toolStateSchema,
  pinDigest: digestSchema.nullable(),
  description: z.string().nullable(),
});
export type ToolView = z.infer<typeof toolViewSchema>;

/** What accepting tools answers. */
export const acceptedToolsSchema = z.object({
  accepted: z.array(z.object({ tool: z.string(), digest: digestSchema })),
  registry: digestSchema,
});
export type AcceptedTools = z.infer<typeof acceptedToolsSchema>;
