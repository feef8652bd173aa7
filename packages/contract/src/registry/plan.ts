import { z } from "zod";
import { digestSchema } from "../id/id.ts";
import { qualifiedToolNameSchema } from "./name.ts";

/** The files of a registry as a caller sends them: path relative to its root, whole text. */
export const registryFilesSchema = z.strictObject({ files: z.record(z.string(), z.string()) });
export type RegistryFiles = z.infer<typeof registryFilesSchema>;

/** Applying: with `plan`, exactly the plan of that digest or nothing. */
export const applyRegistrySchema = registryFilesSchema.extend({ plan: digestSchema.optional() });
export type ApplyRegistry = z.infer<typeof applyRegistrySchema>;

/** Parts of a plan in the order in which people should read them: what anybody may do comes first. */
export const planGroups = ["permissions", "people", "tools", "policies", "agents", "workflows", "places"] as const;
/** One of {@link planGroups}. */
export const planGroupSchema = z.enum(planGroups);
export type PlanGroup = z.infer<typeof planGroupSchema>;

/** One thing that applying would change. */
export const planChangeSchema = z.object({
  group: planGroupSchema,
  action: z.enum(["add", "change", "remove"]),
  /** What it is about: `agent`, `tool`, `organisation`, … and its name (a tool's is the qualified one). */
  kind: z.string(),
  name: z.string(),
  /** Whether somebody or something may do more, less, or neither can be said. `stops`: something that works today would not. */
  effect: z.enum(["widens", "narrows", "stops", "neutral"]),
  /** One sentence that a leader understands. */
  summary: z.string(),
  /** The members that differ, for engineers. Values of an upstream's `env` are never shown. */
  details: z.array(z.object({ pointer: z.string(), before: z.unknown(), after: z.unknown() })),
  /** A unified diff where text changed: policies and prompts. */
  diff: z.string().nullable(),
});
export type PlanChange = z.infer<typeof planChangeSchema>;

const issueSchema = z.object({
  message: z.string(),
  pointer: z.string().optional(),
  file: z.string().optional(),
  line: z.int().optional(),
});

/** What applying a set of files would change. */
export const planSchema = z.object({
  /** Names this plan: from what, to what. Give it to apply to demand exactly this. */
  digest: digestSchema,
  /** Digest of the registry in force; null when nothing has been applied yet. */
  before: digestSchema.nullable(),
  after: digestSchema,
  changes: z.array(planChangeSchema),
  /** What does not stop an apply, but should be known. */
  warnings: z.array(issueSchema),
});
export type Plan = z.infer<typeof planSchema>;

/** What apply answers. `applied` is false when there was nothing to change. */
export const appliedSchema = z.object({ plan: planSchema, applied: z.boolean(), revision: z.int().nullable() });
export type Applied = z.infer<typeof appliedSchema>;

/** One stretch of a text before and after. */
export const textChangeSchema = z.object({ type: z.enum(["same", "added", "removed"]), text: z.string() });
export type TextChange = z.infer<typeof textChangeSchema>;

/** How a tool differs from what was accepted. */
export const toolDifferenceSchema = z.object({
  /** Its qualified name; of a new tool, whatever the upstream calls it, hidden characters escaped. */
  tool: z.string(),
  /** `changed`: blocked until accepted. `missing`: no longer offered, or never seen. `new`: offered but not registered; it needs a document that states its effect. */
  state: z.enum(["changed", "missing", "new"]),
  /** Digest of what is accepted now. */
  acceptedDigest: digestSchema.nullable(),
  /** Digest of what is offered now: give it to accept. Null when there is nothing that could be accepted. */
  offeredDigest: digestSchema.nullable(),
  /** Why what is offered cannot be accepted, or null. */
  refusal: z.string().nullable(),
  /** Why it should be looked at closely before it is accepted: something in it reads like instructions to a model. Null: nothing does. */
  suspicion: z.string().nullable(),
  description: z.array(textChangeSchema),
  inputSchema: z.array(textChangeSchema),
  outputSchema: z.array(textChangeSchema),
  /** The same for a terminal: one line a change, hidden characters escaped. */
  text: z.string(),
});
export type ToolDifference = z.infer<typeof toolDifferenceSchema>;

/** Differences of every tool, and upstreams that could not be asked. */
export const toolDifferencesSchema = z.object({
  items: z.array(toolDifferenceSchema),
  unavailable: z.array(z.object({ upstream: z.string(), reason: z.string() })),
});
export type ToolDifferences = z.infer<typeof toolDifferencesSchema>;

/** Accepting what tools say now. `digests[i]` is the `offeredDigest` that was shown for `tools[i]`. */
export const acceptToolsSchema = z
  .strictObject({
    tools: z.array(qualifiedToolNameSchema).min(1).max(500),
    digests: z.array(digestSchema).min(1).max(500),
  })
  .refine((body) => body.tools.length === body.digests.length, {
    error: "expected one digest for each tool, in the same order",
    path: ["digests"],
  })
  .refine((body) => new Set(body.tools).size === body.tools.length, { error: "a tool is named twice", path: ["tools"] });
export type AcceptTools = z.infer<typeof acceptToolsSchema>;
