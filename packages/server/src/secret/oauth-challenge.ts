import { extractWWWAuthenticateParams } from "@modelcontextprotocol/client";

/** What a refusal asks for, by its `WWW-Authenticate` (RFC 6750, RFC 9728). */
export function askedFor(header: string | null): { scopes: string[]; resourceMetadata: string | null; error: string | null } {
  const response = new Response(null, { status: 401, headers: header === null ? {} : { "www-authenticate": header } });
  const { scope, resourceMetadataUrl, error } = extractWWWAuthenticateParams(response);
  return {
    scopes: scope?.split(" ").filter((one) => one !== "") ?? [],
    resourceMetadata: resourceMetadataUrl?.href ?? null,
    error: error ?? null,
  };
}
