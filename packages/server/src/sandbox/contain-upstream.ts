import { resolve } from "node:path";
import type { Containment, UpstreamSpec } from "@remit/contract";
import { sandboxSpecSchema } from "@remit/contract";
import type { Contained, Machine } from "@remit/sandbox";
import { contain } from "@remit/sandbox";

type StdioTransportSpec = Extract<UpstreamSpec["transport"], { type: "stdio" }>;

export type UpstreamSandboxDeps = {
  /** What `cwd` and the paths of a registration are relative to. */
  rootDir: string;
  /** What this machine can contain programs with. */
  machine: () => Promise<Machine>;
  /** Remit's own folders, which no registration can show to an upstream. */
  hidden: readonly string[];
  /** Told how a program was started. */
  onStarted: (upstream: string, containment: Containment) => void;
};

/**
 * Prepares the start of a stdio upstream: contained unless its registration says otherwise.
 * @throws RemitError `invalid-configuration`; Error where there is no such program or folder
 */
export async function containUpstream(
  transport: StdioTransportSpec,
  env: Readonly<Record<string, string>>,
  deps: UpstreamSandboxDeps,
): Promise<Contained> {
  return await contain(
    {
      command: transport.command,
      args: transport.args,
      cwd: resolve(deps.rootDir, transport.cwd ?? "."),
      env,
      sandbox: transport.sandbox ?? sandboxSpecSchema.parse({}),
      baseDir: deps.rootDir,
      // What it is passed, and nothing else of ours: a place that it does not know of is none that it needs.
      variables: env,
      hidden: deps.hidden,
    },
    await deps.machine(),
  );
}
