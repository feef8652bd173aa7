import type { Registry } from "@remit/core";

/** A registry that was applied. */
export type PastRegistry = { number: number; appliedBy: string; appliedAt: Date; registry: Registry };

/** What was in force before. Tools' pins are not part of it: those are accepted one by one, and are entries of the ledger. */
export type RegistryHistory = {
  /** The registries that were applied from `since` on and before `until`, the newest `limit` of them in order, after the one before them. */
  between(since: Date | null, until: Date | null, limit: number): Promise<{ before: PastRegistry | null; applied: PastRegistry[] }>;
  /** One registry and the one that it replaced. */
  step(revision: number): Promise<{ before: PastRegistry | null; now: PastRegistry | null }>;
};
