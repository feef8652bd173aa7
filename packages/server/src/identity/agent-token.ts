import { agentClaimsSchema, nameSchema } from "@remit/contract";
import type { AgentClaims } from "@remit/contract";
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from "jose";
import type { JWTPayload } from "jose";
import type { SigningKey } from "../keys/key-store.ts";
import type { Resource } from "./resource.ts";

/** No token of an agent lives longer. */
export const tokenLifetimeSeconds = 300;

/** How far the clocks of two servers may be apart. */
const skewSeconds = 5;

export async function signAgentToken(claims: AgentClaims, key: SigningKey): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: key.kid }).sign(key.privateKey);
}

/** What a token turned out to be. `agent`: whom it names, where the signature shows that we said so. */
export type TokenReading =
  | { type: "read"; claims: AgentClaims }
  | { type: "refused"; code: "unauthenticated" | "token-expired"; reason: string; agent: string | null };

/** Checks what does not depend on when it is asked: signature, type, issuer, audience, times, and that every claim is there. */
export async function readAgentToken(token: string, key: SigningKey, own: Resource, now: Date): Promise<TokenReading> {
  let payload: JWTPayload;
  try {
    // Said explicitly: with one key, a token that names none would be tried against it.
    if (decodeProtectedHeader(token).kid !== key.kid) return refused("The token is signed with an unknown key");
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
    return refusalOf(error);
  }
  const claims = agentClaimsSchema.safeParse(payload);
  if (!claims.success) return refused("The token lacks claims that an agent's token has", payload);
  if (claims.data.exp - claims.data.iat > tokenLifetimeSeconds) return refused("The token lives too long", payload);
  return { type: "read", claims: claims.data };
}

/** A fixed sentence for each reason: what is refused is recorded, and must not carry what the caller wrote. */
function refusalOf(error: unknown): TokenReading {
  // jose looks at the claims only after the signature.
  if (error instanceof errors.JWTExpired) {
    return { ...refused("The token has expired; get a new one", error.payload), code: "token-expired" };
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return refused(claimReasons[error.claim] ?? "The token's claims are not as expected", error.payload);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return refused("The token is not signed with ES256");
  if (error instanceof errors.JWSSignatureVerificationFailed) return refused("The token's signature is wrong");
  return refused("This is not an access token");
}

function refused(reason: string, signed?: JWTPayload): TokenReading & { type: "refused" } {
  const agent = nameSchema.safeParse(signed?.["agent"]);
  return { type: "refused", code: "unauthenticated", reason, agent: agent.success ? agent.data : null };
}

const claimReasons: Record<string, string> = {
  aud: "The token is for another resource",
  iss: "The token is of another issuer",
  typ: "The token is not an access token (typ)",
  nbf: "The token is not valid yet",
  iat: "The token was issued in the future",
  exp: "The token does not say when it ends",
};
