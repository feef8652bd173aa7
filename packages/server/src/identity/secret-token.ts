import { createHmac, hash, randomBytes, timingSafeEqual } from "node:crypto";

/** What begins a secret of ours, so that scanners of repositories and logs can find one that leaked. */
const prefixes = { agent: "remit_secret_", link: "remit_link_", session: "remit_session_", machine: "remit_machine_" } as const;

/** A new secret of 256 random bits. Nobody guesses it, so it is stored under plain SHA-256: slow hashes are for what people choose. */
export function newSecret(kind: keyof typeof prefixes): string {
  return prefixes[kind] + randomBytes(32).toString("base64url");
}

/** How a secret is stored and looked up. */
export function hashOf(secret: string): Buffer {
  return hash("sha256", secret, "buffer");
}

/** Compares two secrets in a time that says nothing about either. */
export function sameSecret(left: string, right: string): boolean {
  return timingSafeEqual(hashOf(left), hashOf(right));
}

/** A secret that follows from a session's, and from which nobody gets back to it: the CSRF token needs no storage. */
export function csrfTokenOf(sessionToken: string): string {
  return createHmac("sha256", sessionToken).update("remit csrf v1").digest("base64url");
}
