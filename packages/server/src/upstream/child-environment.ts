import type { UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";

type StdioTransportSpec = Extract<UpstreamSpec["transport"], { type: "stdio" }>;

const inherited = ["PATH", "HOME", "LANG"] as const;

/** The control plane's own secrets and addresses: no registry file can hand them to an upstream. */
function isOurs(name: string): boolean {
  return name.startsWith("REMIT_") || name === "DATABASE_URL" || /^PG(?:PASSWORD|PASSFILE|SERVICE|SERVICEFILE)$/.test(name);
}

/**
 * The whole environment of a stdio upstream: PATH, HOME and LANG, what its specification names of ours, and what it declares.
 * @throws RemitError `invalid-configuration`
 */
export function childEnvironment(own: Readonly<Record<string, string | undefined>>, spec: StdioTransportSpec): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of [...inherited, ...spec.passEnv]) {
    if (isOurs(name)) {
      throw new RemitError("invalid-configuration", `passEnv names ${name}, which is Remit's own and is never passed to an upstream`);
    }
    const value = own[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, ...spec.env };
}
