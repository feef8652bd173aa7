import { gatewayScope } from "@remit/contract";

/**
 * The addresses that tokens are about. There is one audience, `<publicUrl>/mcp`: a token for the gateway is good for every upstream behind
 * it, because what an agent may use there is decided call by call. `/mcp/<upstream>` is the same resource seen through a narrower door;
 * asking for a token for it is allowed and gives a token for the gateway.
 */
export type Resource = {
  issuer: string;
  audience: string;
  tokenEndpoint: string;
  /** Is this the gateway, or one upstream's door to it? */
  isGateway(resource: string): boolean;
};

export function createResource(publicUrl: URL): Resource {
  const base = publicUrl.href.replace(/\/$/, "");
  const audience = `${base}/mcp`;
  return {
    issuer: `${base}/oidc`,
    audience,
    tokenEndpoint: `${base}/oidc/token`,
    isGateway(resource) {
      if (resource === audience) return true;
      return resource.startsWith(`${audience}/`) && /^[a-z0-9][a-z0-9_-]{0,63}$/.test(resource.slice(audience.length + 1));
    },
  };
}

/** RFC 9728: where a client that was turned away learns who issues tokens for this resource. */
export function protectedResourceMetadata(own: Resource, resource: string): Record<string, unknown> {
  return {
    resource,
    authorization_servers: [own.issuer],
    bearer_methods_supported: ["header"],
    scopes_supported: [gatewayScope],
    resource_name: "Remit gateway",
  };
}

/** RFC 8414: what the authorization server can do. Written out, because oidc-provider would also name endpoints that are not served here. */
export function authorizationServerMetadata(own: Resource): Record<string, unknown> {
  return {
    issuer: own.issuer,
    authorization_endpoint: `${own.issuer}/authorize`,
    token_endpoint: own.tokenEndpoint,
    jwks_uri: `${own.issuer}/jwks`,
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: ["client_credentials", "authorization_code", "refresh_token"],
    code_challenge_methods_supported: ["S256"],
    // RFC 9207, and OAuth Client ID Metadata Document.
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
    // `none` is for clients that a person lets in; agents have secrets.
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
    scopes_supported: [gatewayScope],
  };
}

/** Why a request to a protected resource was turned away. */
export type Challenge =
  | { type: "no-token" }
  | { type: "invalid-token"; reason: string }
  /** All the scopes that the request needs, at once. */
  | { type: "insufficient-scope"; scopes: readonly string[]; reason: string };

/**
 * The `WWW-Authenticate` of a 401 or 403 (RFC 6750, RFC 9728). `resource` is the address that was asked, for example `<publicUrl>/mcp`.
 */
export function wwwAuthenticate(resource: string, challenge: Challenge): string {
  const url = new URL(resource);
  const parameters: [string, string][] = [["resource_metadata", `${url.origin}/.well-known/oauth-protected-resource${url.pathname}`]];
  if (challenge.type === "no-token") parameters.push(["scope", gatewayScope]);
  if (challenge.type === "invalid-token") parameters.push(["error", "invalid_token"], ["error_description", challenge.reason]);
  if (challenge.type === "insufficient-scope") {
    parameters.push(["error", "insufficient_scope"], ["scope", challenge.scopes.join(" ")], ["error_description", challenge.reason]);
  }
  return `Bearer ${parameters.map(([name, value]) => `${name}="${quotable(value)}"`).join(", ")}`;
}

/** What RFC 6750 lets stand between the quotes: printable ASCII without quote and backslash. */
function quotable(value: string): string {
  return value.replace(/[^\x20-\x7e]|["\\]/g, "?");
}
