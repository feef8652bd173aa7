import type { BundlePopulation } from "@remit/contract";
import type { PayloadCounts } from "./payload-check.ts";
import type { Problem } from "./problems.ts";

/** How the verifier ends. */
export const exitCodes = { ok: 0, tampered: 1, usage: 2, incomplete: 3, unanchored: 4 } as const;
export type Outcome = Exclude<keyof typeof exitCodes, "usage">;

export type Verdict = {
  verdict: Outcome;
  exit: number;
  /** Of what made the verdict, the lowest sequence number at which it is wrong, or what is wrong of the whole. */
  firstWrong: Problem | null;
  /** The first hundred. */
  problems: Problem[];
  problemCount: number;
  origin: string | null;
  population: BundlePopulation | null;
  exportedAt: string | null;
  exportedBy: string | null;
  /** Entries that were read and hashed. */
  checked: number;
  key: {
    /** False: the bundle was checked with the keys that itself brings along, which proves nothing about who made it. */
    trusted: boolean;
    /** Which keys signed the checkpoint that proves the range. */
    signedBy: string[];
  };
  anchoring: {
    status: "UNANCHORED" | "WITNESSED" | "KEPT";
    /** Organisations whose witnesses signed a checkpoint over the whole range. */
    organisations: string[];
    /** Checkpoints that the person who verifies has kept, and that this ledger continues or contains: their sizes. */
    kept: number[];
  };
  payloads: PayloadCounts & { form: string | null };
  warnings: string[];
};
