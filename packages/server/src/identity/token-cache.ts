import type { AgentClaims } from "@remit/contract";
import { hashOf } from "./secret-token.ts";

/**
 * Tokens whose signature has been checked, by their hash, until they expire. Only that much is remembered: whether the agent may act
 * is asked again for every request. Bounded; the oldest goes first.
 */
export type TokenCache = {
  get(token: string): AgentClaims | null;
  set(token: string, claims: AgentClaims): void;
};

export function createTokenCache(options: { nowMs: () => number; maxTokens?: number }): TokenCache {
  const maxTokens = options.maxTokens ?? 10_000;
  const known = new Map<string, AgentClaims>();
  const keyOf = (token: string) => hashOf(token).toString("base64");
  return {
    get(token) {
      const key = keyOf(token);
      const claims = known.get(key);
      if (claims === undefined) return null;
      if (claims.exp * 1000 > options.nowMs()) return claims;
      known.delete(key);
      return null;
    },
    set(token, claims) {
      if (known.size >= maxTokens) {
        const oldest = known.keys().next();
        if (!oldest.done) known.delete(oldest.value);
      }
      known.set(keyOf(token), claims);
    },
  };
}
