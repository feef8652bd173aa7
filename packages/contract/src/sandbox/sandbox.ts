import { z } from "zod";

/**
 * One place on the network: `host` (port 443), `host:port`, or `env:NAME`, the host and port of the URL in that variable, which
 * says nothing where it is not set. No wildcards: each is forwarded by itself.
 */
export const reachableSchema = z
  .string()
  .regex(
    /^(?:env:[A-Za-z_][A-Za-z0-9_]{0,100}|(?=.{1,253}(?::|$))[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?)$/,
    "a host, host:port or env:NAME, in lower case",
  );

/** How much of the machine a program that Remit starts may take. What is not said is as docs/containment.md has it. */
export const sandboxLimitsSchema = z.strictObject({
  /** Of data, of each of its processes. MiB. */
  memoryMb: z.int().min(64).max(1_048_576).default(4_096),
  /** Processes and threads, all together. The kernel knows no smaller number than 301. */
  processes: z.int().min(301).max(100_000).default(1_024),
  /** The largest file that it may write. MiB. */
  fileMb: z.int().min(1).max(1_048_576).default(1_024),
  /** Files and connections that each of its processes may have open. */
  openFiles: z.int().min(64).max(1_048_576).default(4_096),
  /** Of the processor, of each of its processes, over its whole life. Default: as long as it takes. Seconds. */
  cpuSeconds: z.int().min(1).max(31_536_000).optional(),
});
export type SandboxLimits = z.infer<typeof sandboxLimitsSchema>;

/** What a program that Remit starts may touch, beyond the system, its own code and a scratch folder that goes with it. */
export const sandboxSpecSchema = z.strictObject({
  /** `preferred`: contained where the machine can. `required`: not started where it cannot. `off`: not contained. */
  mode: z.enum(["required", "preferred", "off"]).default("preferred"),
  /** `none`, `open` (the machine's own network, all of it), or the places that it may reach. */
  network: z.union([z.enum(["none", "open"]), z.array(reachableSchema).max(32)]).default("none"),
  /** Files and folders that it may read; relative to the root of the registry, `~/` for the home folder. */
  read: z.array(z.string().min(1)).max(64).default([]),
  /** Folders that it may write. */
  write: z.array(z.string().min(1)).max(64).default([]),
  /** How much of the machine it may take. */
  limits: sandboxLimitsSchema.optional(),
});
export type SandboxSpec = z.infer<typeof sandboxSpecSchema>;

/** By what a program is contained. */
export const containedBySchema = z.enum(["bubblewrap", "namespaces", "node-permissions", "nothing"]);
export type ContainedBy = z.infer<typeof containedBySchema>;

/** How a program was started, as the ledger keeps it. */
export const containmentSchema = z.object({
  by: containedBySchema,
  /** `declared`: it sees the system, its own code and what is declared. */
  files: z.enum(["declared", "everything"]),
  /** Places that it may reach, or `none`, or `open`: nothing keeps it from the network. */
  network: z.union([z.enum(["none", "open"]), z.array(z.string())]),
  /** `kernel`: it ends whatever becomes of Remit. `watcher`: a process beside Remit ends it. `remit`: only Remit does. */
  endsBy: z.enum(["kernel", "watcher", "remit"]),
  /** What holds of its limits: a number, or null where this machine cannot hold it. Absent: nothing is limited. */
  limits: z
    .object({
      memoryMb: z.int(),
      processes: z.int().nullable(),
      fileMb: z.int(),
      openFiles: z.int(),
      cpuSeconds: z.int().nullable(),
    })
    .exactOptional(),
  /** Why it is contained less than was wanted. */
  because: z.string().nullable(),
});
export type Containment = z.infer<typeof containmentSchema>;
