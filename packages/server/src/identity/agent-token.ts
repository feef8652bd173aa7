import { agentClaimsSchema, RemitError } from "@remit/contract";
import type { AgentClaims } from "@remit/contract";
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from "jose";
import type { SigningKey } from "../keys/key-store.ts";
import type { Resource } from "./resource.ts";

/** No token of an agent lives longer. */
export const tokenLifetimeSeconds = 300;

/** How far the clocks of two servers may be apart. */
const skewSeconds = 5;

export async function signAgentToken(claims: AgentClaims, key: SigningKey): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: key.kid }).sign(key.privateKey);
}

/**
 * Checks what does not depend on when it is asked: signature, type, issuer, audience, times, and that every claim is there.
 * @throws RemitError `unauthenticated` | `token-expired`
 */
export async function readAgentToken(token: string, key: SigningKey, own: Resource, now: Date): Promise<AgentClaims> {
  let payload: unknown;
  try {
    // Said explicitly: with one key, a token that names none would be tried against it.
    if (decodeProtectedHeader(token).kid !== key.kid) throw new RemitError("unauthenticated", "The token is signed with an unknown key");
    const verified = await jwtVerify(token, key.publicKey, {
      algorithms: ["ES256"],
      typ: "at+jwt",
      issuer: own.issuer,
      audience: own.audience,
      currentDate: now,
      clockTolerance: skewSeconds,
      // With a maximum age jose also refuses a token that was issued in the future.
      maxTokenAge: tokenLifetimeSeconds,
    });
    payload = verified.payload;
  } catch (error) {
    throw refusalOf(error);
  }
  const claims = agentClaimsSchema.safeParse(payload);
  if (!claims.success) throw new RemitError("unauthenticated", "The token lacks claims that an agent's token has");
  if (claims.data.exp - claims.data.iat > tokenLifetimeSeconds) throw new RemitError("unauthenticated", "The token lives too long");
  return claims.data;
}

/** A fixed sentence for each reason: what is refused is recorded, and must not carry what the caller wrote. */
function refusalOf(error: unknown): RemitError {
  if (RemitError.is(error)) return error;
  if (error instanceof errors.JWTExpired) return new RemitError("token-expired", "The token has expired; get a new one");
  if (error instanceof errors.JWTClaimValidationFailed) {
    return new RemitError("unauthenticated", claimReasons[error.claim] ?? "The token's claims are not as expected");
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return new RemitError("unauthenticated", "The token is not signed with ES256");
  if (error instanceof errors.JWSSignatureVerificationFailed) return new RemitError("unauthenticated", "The token's signature is wrong");
  return new RemitError("unauthenticated", "This is not an access token");
}

const claimReasons: Record<string, string> = {
  aud: "The token is for another resource",
  iss: "The token is of another issuer",
  typ: "The token is not an access token (typ)",
  nbf: "The token is not valid yet",
  iat: "The token was issued in the future",
  exp: "The token does not say when it ends",
};
