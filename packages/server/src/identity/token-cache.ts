import { hash } from "node:crypto";
import type { AgentClaims } from "@remit/contract";
import type { Admission } from "@remit/core";

/** A token whose signature has been checked, and whether its agent could act at the last time that was asked. */
export type KnownToken = { type: "read"; claims: AgentClaims; last: { asOf: number; admission: Admission } | null };

/**
 * Tokens whose signature has been checked, by their hash, until they expire. Whether the agent may act now is not remembered here.
 * Bounded; the oldest goes first.
 */
export type TokenCache = {
  get(token: string): KnownToken | null;
  set(token: string, known: KnownToken): void;
};

export function createTokenCache(options: { nowMs: () => number; maxTokens?: number }): TokenCache {
  const maxTokens = options.maxTokens ?? 10_000;
  const known = new Map<string, KnownToken>();
  // Straight to text: that costs a third of a Buffer that is then written out.
  const keyOf = (token: string) => hash("sha256", token, "base64");
  return {
    get(token) {
      const key = keyOf(token);
      const found = known.get(key);
      if (found === undefined) return null;
      if (found.claims.exp * 1000 > options.nowMs()) return found;
      known.delete(key);
      return null;
    },
    set(token, read) {
      if (known.size >= maxTokens) {
        const oldest = known.keys().next();
        if (!oldest.done) known.delete(oldest.value);
      }
      known.set(keyOf(token), read);
    },
  };
}
