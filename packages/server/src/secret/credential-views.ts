import type { CredentialView } from "@remit/contract";
import { credentialNames } from "@remit/contract";
import type { Registry } from "@remit/core";
import { secretPathsOf } from "./credential-paths.ts";
import type { StoredGrant } from "./grant.store.ts";

const vaultRemark = "Vault is spoken to by its documented HTTP API, tested against a hand-written fake of it; no Vault was run.";

/** The credentials of a registry, with what keeps each from being shown. */
export function viewCredentials(registry: Registry, kept: ReadonlySet<string>, grants: readonly StoredGrant[]): CredentialView[] {
  return [...registry.credentials.values()].map((spec) => {
    const upstreams = [...registry.upstreams.values()]
      .filter((upstream) => credentialNames(upstream).includes(spec.name))
      .map(({ name }) => name);
    const missing = secretPathsOf(spec).filter((path) => !kept.has(path));
    const ended = grants.filter(({ credential, state }) => credential === spec.name && state === "expired");
    const unconnected = upstreams.filter(
      (name) => !grants.some(({ credential, upstream, state }) => credential === spec.name && upstream === name && state !== "wanted"),
    );
    const problem =
      missing.length > 0
        ? `Nothing is kept at ${missing.join(", ")}: remit secret set ${missing[0] ?? ""}`
        : ended.length > 0
          ? `A consent has ended (${ended[0]?.reason ?? ""}): remit connect ${ended[0]?.upstream ?? ""}`
          : spec.from.type === "oauth-user" && unconnected.length > 0
            ? `Nobody has consented yet: remit connect ${unconnected[0] ?? ""}`
            : null;
    return {
      name: spec.name,
      owner: spec.owner,
      from: spec.from.type,
      use: spec.use.type,
      upstreams,
      problem,
      remark: spec.from.type === "vault" ? vaultRemark : null,
    };
  });
}
