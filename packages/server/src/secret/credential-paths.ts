import type { CredentialSpec } from "@remit/contract";

/** The secrets that a credential rests on. */
export function secretPathsOf({ from, use }: Pick<CredentialSpec, "from" | "use">): string[] {
  const more = use.type === "client-certificate" && use.ca !== undefined ? [use.ca] : [];
  switch (from.type) {
    case "secret":
      return [from.secret, ...more];
    case "oauth-client":
    case "oauth-user":
      return [...(from.client?.secret === undefined ? [] : [from.client.secret]), ...more];
    case "postgres":
      return [from.admin, ...more];
    case "vault":
      return [from.auth.secret, ...more];
  }
}
