import { z } from "zod";
import { credentialSpecSchema } from "../secret/credential.ts";
import { sandboxSpecSchema } from "../sandbox/sandbox.ts";
import { durationSchema, nameSchema, qualifiedToolNameSchema, toolNameSchema, upstreamNameSchema } from "./name.ts";

/** What a tool does to the world: looks, prepares something that a person will look at, or changes something. */
export const effectSchema = z.enum(["read", "propose", "write"]);
export type Effect = z.infer<typeof effectSchema>;

/** How much harm it does when others learn of it. */
export const sensitivitySchema = z.enum(["public", "internal", "confidential", "restricted"]);
export type Sensitivity = z.infer<typeof sensitivitySchema>;

/** 0 observe · 1 propose · 2 act outside production · 3 act in production. */
export const tierSchema = z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)]);
export type Tier = z.infer<typeof tierSchema>;

/** What an environment is for. Tiers and faults go by the type, whatever the environment is called. */
export const environmentTypeSchema = z.enum(["dev", "staging", "production"]);
export type EnvironmentType = z.infer<typeof environmentTypeSchema>;

/** What a person may do in Remit itself. Approving is not a role: it comes from membership of a team. */
export const roleSchema = z.enum(["admin", "operator", "auditor", "viewer"]);
export type Role = z.infer<typeof roleSchema>;

/** A human who acts or answers. */
export const partySpecSchema = z.strictObject({
  kind: z.literal("party"),
  name: nameSchema,
  type: z.enum(["human", "body", "service"]).default("human"),
  displayName: z.string().min(1).max(120),
  email: z.email().optional(),
  active: z.boolean().default(true),
  roles: z.array(roleSchema).default([]),
});
export type PartySpec = z.infer<typeof partySpecSchema>;

/** People who share work. With `approval`, the team can be asked for approvals by its name. */
export const teamSpecSchema = z.strictObject({
  kind: z.literal("team"),
  name: nameSchema,
  displayName: z.string().min(1).max(120).optional(),
  members: z.array(nameSchema).min(1),
  approval: z
    .strictObject({
      /** How many different members must say yes. */
      quorum: z.int().min(1).max(10).default(1),
      /** A request that nobody answers ends after this. */
      expiresAfter: durationSchema.default("PT4H"),
      /** The next team in the chain, asked when nobody has answered after `escalateAfter`. */
      escalateTo: nameSchema.optional(),
      escalateAfter: durationSchema.optional(),
    })
    .optional(),
});
export type TeamSpec = z.infer<typeof teamSpecSchema>;

/** A place to act in. Its type sets what each tier may do there. */
export const environmentSpecSchema = z.strictObject({
  kind: z.literal("environment"),
  name: nameSchema,
  type: environmentTypeSchema,
});
export type EnvironmentSpec = z.infer<typeof environmentSpecSchema>;

/** An MCP server or an HTTP API behind the gateway. */
export const upstreamSpecSchema = z.strictObject({
  kind: z.literal("upstream"),
  name: upstreamNameSchema,
  description: z.string().max(500).optional(),
  owner: nameSchema,
  transport: z.discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("stdio"),
      command: z.string().min(1),
      args: z.array(z.string()).default([]),
      /** Added to a minimal environment (PATH, HOME, LANG); nothing else of the server's environment is passed on. */
      env: z.record(z.string(), z.string()).default({}),
      /** Names of variables of the server's own environment that are passed on. */
      passEnv: z.array(z.string()).default([]),
      /** Relative to the root of the registry. */
      cwd: z.string().optional(),
      /** What it may touch. Default: contained where the machine can, without network. */
      sandbox: sandboxSpecSchema.optional(),
    }),
    z.strictObject({
      type: z.literal("http"),
      url: z.url({ protocol: /^https?$/ }),
    }),
    z.strictObject({
      type: z.literal("openapi"),
      /** The OpenAPI 3.0 or 3.1 description: a file relative to the root of the registry, or an https URL. */
      document: z.string().min(1).max(2_000),
      /** Where its operations are called. Default: the first of the description's own servers. */
      baseUrl: z.url({ protocol: /^https?$/ }).optional(),
      /** How often the description is read again. One that has changed is connected anew, so that what has drifted is blocked. */
      recheckMs: z.int().min(1_000).max(86_400_000).default(300_000),
    }),
    /** The built-in tools of coding agents, which ask before they act; the agent itself carries out what it may do. */
    z.strictObject({ type: z.literal("hook") }),
  ]),
  /** What Remit shows it: names of credentials. Agents never see them. */
  credential: z.union([nameSchema, z.array(nameSchema).min(1).max(8)]).optional(),
  timeoutMs: z.int().min(1).max(600_000).default(30_000),
  /** How long it may work at one call by itself, as a task. Default: an hour. */
  taskTimeoutMs: z.int().min(1_000).max(86_400_000).optional(),
  concurrency: z.int().min(1).max(1_000).default(32),
  /** When calls of one of its tools are no longer sent, because it keeps failing by itself; what is not said is as docs/upstreams.md has it. */
  breaker: z
    .strictObject({
      faultPercent: z.int().min(1).max(100).optional(),
      minimumCalls: z.int().min(1).max(10_000).optional(),
      windowMs: z.int().min(100).max(3_600_000).optional(),
      faultsInARow: z.int().min(1).max(1_000).optional(),
      openMs: z.int().min(10).max(600_000).optional(),
      maxOpenMs: z.int().min(10).max(3_600_000).optional(),
    })
    .optional(),
});
export type UpstreamSpec = z.infer<typeof upstreamSpecSchema>;

/** The names of the credentials of an upstream. */
export function credentialNames({ credential }: Pick<UpstreamSpec, "credential">): readonly string[] {
  return credential === undefined ? [] : typeof credential === "string" ? [credential] : credential;
}

/** Where a data subject is named. */
export const subjectPointerSchema = z.strictObject({
  /** What kind of party: `customer`, `patient`, `employee`. With the identifier it makes the subject's name, `customer:C-1042`. */
  type: nameSchema,
  /** In the arguments of a call (the default), or in its result as recorded: `/structuredContent/customer/id`. */
  in: z.enum(["arguments", "result"]).default("arguments"),
  /** JSON pointer (RFC 6901, `*` for every element or member) to a string or a whole number. */
  pointer: z.string().startsWith("/").max(300),
});
export type SubjectPointer = z.infer<typeof subjectPointerSchema>;

/** One thing that an upstream can do. Its input and output schemas are pinned from the upstream when the registry is applied. */
export const toolSpecSchema = z.strictObject({
  kind: z.literal("tool"),
  upstream: upstreamNameSchema,
  name: toolNameSchema,
  effect: effectSchema,
  reversibility: z.enum(["none", "compensable", "reversible"]),
  sensitivity: sensitivitySchema,
  owner: nameSchema,
  /** The same call twice does no more than once; only then may a call be retried. */
  idempotent: z.boolean().default(false),
  /** Which argument is an amount that budgets and policies count: an integer, in minor units (cents). */
  amount: z.strictObject({ pointer: z.string().startsWith("/"), unit: z.string().min(1).max(20) }).optional(),
  /** Whom its arguments and results are about. What is recorded of a call is sealed so that it can be erased for each of them. */
  subjects: z.array(subjectPointerSchema).min(1).max(8).optional(),
  /** JSON pointers to arguments that logs and spans may tell. What is not named here never reaches them. */
  loggable: z.array(z.string().startsWith("/").max(300)).max(50).optional(),
  timeoutMs: z.int().min(1).max(600_000).optional(),
  /** Written into a draft: effect, reversibility and sensitivity were inferred, and nobody has looked at them yet. Refused until the line is deleted. */
  unconfirmed: z.literal(true).optional(),
});
export type ToolSpec = z.infer<typeof toolSpecSchema>;

/** A non-human party. What it may do at most; policies decide what of that, when. */
export const agentSpecSchema = z.strictObject({
  kind: z.literal("agent"),
  name: nameSchema,
  purpose: z.string().min(1).max(500),
  /** The one active human who answers for it. */
  accountable: nameSchema,
  tier: tierSchema,
  /** Roles that policies name, `principal in Remit::Role::"support-tier1"`. */
  roles: z.array(nameSchema).default([]),
  /** Policy sets that a run of it may select; the first is the default. */
  policies: z.array(nameSchema).min(1),
  environments: z.array(nameSchema).min(1),
  tools: z.array(qualifiedToolNameSchema),
  /** The agent's prompt, relative to the root of the registry; part of its version. */
  promptFile: z.string().optional(),
  /** What it may do, must ask for and must never do, in words that a person signs. */
  constraints: z.strictObject({
    may: z.array(z.string()).default([]),
    asks: z.array(z.string()).default([]),
    never: z.array(z.string()).default([]),
    /** How many of its calls may wait for people at a time, outside of runs. Default: 100. */
    pendingApprovals: z.int().min(1).max(10_000).optional(),
  }),
});
export type AgentSpec = z.infer<typeof agentSpecSchema>;

/** A named set of Cedar policies: `policies/<name>/policy.yaml` with `*.cedar` files beside it. */
export const policySpecSchema = z.strictObject({
  kind: z.literal("policy"),
  name: nameSchema,
  description: z.string().min(1).max(500),
  owner: nameSchema,
});
export type PolicySpec = z.infer<typeof policySpecSchema>;

/** Work that is held ready for runs. */
export const queueSpecSchema = z.strictObject({
  kind: z.literal("queue"),
  name: nameSchema,
  description: z.string().max(500).optional(),
  owner: nameSchema,
  /** One more item is refused with `queue-full`. */
  maxDepth: z.int().min(1).max(1_000_000).default(1_000),
  /** Whom an item is about: pointers into what is enqueued. */
  subjects: z
    .array(subjectPointerSchema.omit({ in: true }))
    .min(1)
    .max(8)
    .optional(),
  /** A claimed item that is neither finished nor extended returns to the queue after this. */
  visibilityTimeout: durationSchema.default("PT5M"),
  /** After so many claims that ended in no result, the item is set aside. */
  maxAttempts: z.int().min(1).max(100).default(3),
});
export type QueueSpec = z.infer<typeof queueSpecSchema>;

/** A bounded kind of work: which agent does it, where its work comes from, what done means, and who answers for it. */
export const workflowSpecSchema = z.strictObject({
  kind: z.literal("workflow"),
  name: nameSchema,
  /** The one human who answers for the outcome of the workflow. */
  accountable: nameSchema,
  agent: nameSchema,
  queue: nameSchema.optional(),
  /** The agent's program and its arguments. */
  command: z.array(z.string().min(1)).min(1),
  /** Relative to the root of the registry. */
  cwd: z.string().optional(),
  /** What the agent's program may touch besides Remit itself. Default: contained where the machine can, with no other network. */
  sandbox: sandboxSpecSchema.optional(),
  limits: z.strictObject({
    actions: z.int().min(1).max(10_000),
    wallclock: durationSchema,
  }),
  /** The team asked where `--require-human-approval` names a tool. */
  approvers: nameSchema,
  charter: z.strictObject({
    done: z.string().min(1),
    failureModes: z.array(z.string().min(1)).min(1),
    successMetrics: z.array(z.string().min(1)).min(1),
  }),
  /** Humans own intent, agents execution, leaders constraints. */
  responsibilities: z.strictObject({ intent: nameSchema, execution: nameSchema, constraints: nameSchema }),
});
export type WorkflowSpec = z.infer<typeof workflowSpecSchema>;

/** One document of the registry. */
export const assetSpecSchema = z.discriminatedUnion("kind", [
  partySpecSchema,
  teamSpecSchema,
  environmentSpecSchema,
  upstreamSpecSchema,
  toolSpecSchema,
  agentSpecSchema,
  policySpecSchema,
  queueSpecSchema,
  workflowSpecSchema,
  credentialSpecSchema,
]);
export type AssetSpec = z.infer<typeof assetSpecSchema>;
export type AssetKind = AssetSpec["kind"];

const keptForSchema = z.union([
  durationSchema,
  z.strictObject({
    public: durationSchema.optional(),
    internal: durationSchema.optional(),
    confidential: durationSchema.optional(),
    restricted: durationSchema.optional(),
  }),
]);

/** How long what is sealed beside the ledger's entries is kept: one duration, or one for each sensitivity. What is not named is kept. */
export const retentionSpecSchema = z.strictObject({
  /** What tools were called with. */
  arguments: keptForSchema.optional(),
  /** What they gave back. */
  results: keptForSchema.optional(),
  /** What people wrote when they approved or refused. */
  approvals: keptForSchema.optional(),
  /** What was put into queues. */
  items: keptForSchema.optional(),
  /** Everything else that is sealed: the reasons of requests about data subjects among it. */
  others: keptForSchema.optional(),
  /** Rows of actions, requests, runs and items that have ended; their entries stay. At least a day. */
  rows: durationSchema.optional(),
});
export type RetentionSpec = z.infer<typeof retentionSpecSchema>;

/** `remit.yaml`: the one document about the whole. */
export const organisationSpecSchema = z.strictObject({
  apiVersion: z.literal("remit/v1"),
  organisation: z.strictObject({
    name: nameSchema,
    /** SPIFFE trust domain of the agents' identities. */
    trustDomain: z.string().regex(/^[a-z0-9.-]{1,255}$/),
    /** IANA time zone in which policies read the calendar and budgets count days. */
    timeZone: z.string().min(1),
    /** A policy set that holds for every agent, besides its own. */
    guard: nameSchema.optional(),
    retention: retentionSpecSchema.optional(),
  }),
});
export type OrganisationSpec = z.infer<typeof organisationSpecSchema>;
