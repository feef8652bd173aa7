import { OAuthError, OAuthErrorCode } from "@modelcontextprotocol/client";
import type { CredentialSpec, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { GrantKey } from "./grant.store.ts";

/** What an authorization server refuses for good, by its code; null for what may pass. */
export function refusalOf(error: unknown): string | null {
  if (!(error instanceof OAuthError)) return null;
  const passing = new Set<string>([OAuthErrorCode.ServerError, OAuthErrorCode.TemporarilyUnavailable, OAuthErrorCode.TooManyRequests]);
  return passing.has(error.code) ? null : error.code;
}

export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 300);
}

export function unavailable(upstream: UpstreamSpec, error: unknown): RemitError {
  if (RemitError.is(error)) return error;
  const what = error instanceof OAuthError ? error.code : messageOf(error);
  return new RemitError("credential-unavailable", `no token for upstream "${upstream.name}" could be had: ${what}; nothing was sent`);
}

function who({ person }: GrantKey): string {
  return person === "" ? "somebody who operates Remit" : person;
}

export function wantedError(upstream: UpstreamSpec, key: GrantKey, more: readonly string[]): RemitError {
  const what = more.length === 0 ? "wants somebody's consent" : `wants consent to more: ${more.join(" ")}`;
  return new RemitError(
    "credential-missing",
    `upstream "${upstream.name}" ${what}; nothing was done. ${who(key)} gives it with: remit connect ${upstream.name}`,
  );
}

export function movedError(upstream: UpstreamSpec, key: GrantKey): RemitError {
  return new RemitError(
    "credential-missing",
    `the consent for upstream "${upstream.name}" was given where it was before, and is shown nowhere else; nothing was sent. ${who(key)} gives another with: remit connect ${upstream.name}`,
  );
}

export function expiredError(credential: CredentialSpec, upstream: UpstreamSpec, key: GrantKey, reason: string | null): RemitError {
  return new RemitError(
    "credential-expired",
    `the consent "${credential.name}" for upstream "${upstream.name}" is no longer good (${reason ?? "expired"}); nothing was done. ${who(key)} renews it with: remit connect ${upstream.name}`,
  );
}
