import { dirname, join } from "node:path";
import type { SandboxSpec } from "@remit/contract";
import { sandboxSpecSchema } from "@remit/contract";
import { contain, examineMachine, placeOfUrl, reachableOf } from "@remit/sandbox";
import type { Contained } from "@remit/sandbox";

export type AgentLaunch = {
  command: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** What its workflow declares. */
  sandbox: SandboxSpec | null;
  /** False: whoever runs it has switched containment off. */
  contained: boolean;
  /** Places that whoever runs it allows besides. */
  allowHosts: readonly string[];
  registryDir: string;
  mcpUrl: string;
  tokenFile: string;
  /** Where a Remit on this machine keeps its keys. */
  dataDir: string;
};

/**
 * Prepares the start of an agent's program. Contained, the gateway is its only way out, besides what is declared.
 * @throws RemitError `invalid-configuration`; Error where there is no such program or folder
 */
export async function containAgent(launch: AgentLaunch): Promise<Contained> {
  const declared = launch.sandbox ?? sandboxSpecSchema.parse({});
  const gateway = placeOfUrl(launch.mcpUrl);
  const [command = "", ...args] = launch.command;
  const { VIRTUAL_ENV } = launch.env;
  return await contain(
    {
      command,
      args,
      cwd: launch.cwd,
      env: launch.env,
      sandbox: launch.contained ? declared : { ...declared, mode: "off" },
      baseDir: launch.registryDir,
      variables: launch.env,
      withholdPrivate: true,
      hidden: [launch.dataDir, join(launch.registryDir, ".remit")],
      show: [dirname(launch.tokenFile), ...(VIRTUAL_ENV === undefined ? [] : [VIRTUAL_ENV])],
      reach: [...(gateway === null ? [] : [gateway]), ...reachableOf(launch.allowHosts, launch.env)],
    },
    await examineMachine(),
  );
}
