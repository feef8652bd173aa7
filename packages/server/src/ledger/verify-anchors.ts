import type { Anchoring, NoteKey, WitnessPolicy } from "@remit/core";
import { anchoringOf, equal, readCheckpoint } from "@remit/core";
import { noteCrypto } from "../keys/note-crypto.ts";
import type { Report } from "./verify-ledger.ts";

/** A checkpoint of this ledger that is kept outside, as it was found to be signed there. */
export type OutsideView = { who: string; size: number; root: Uint8Array };

/** What others keep of the ledger. */
export type Outside = {
  policy: Pick<WitnessPolicy, "witnesses" | "witnessedBy" | "quorum">;
  /** Lines that witnesses signed under checkpoints, by the size of those. */
  cosignatures: ReadonlyMap<number, readonly string[]>;
  views: readonly OutsideView[];
};

export const nobodyOutside: Outside = {
  policy: { witnesses: [], witnessedBy: () => [], quorum: 0 },
  cosignatures: new Map(),
  views: [],
};

/** Compares the ledger, as it is being recomputed, with what is kept outside. */
export function checkAnchors(outside: Outside, options: { keys: readonly NoteKey[]; latest: number; report: Report }) {
  const { report } = options;
  const views = [...outside.views].sort((left, right) => left.size - right.size);
  let anchoring: Anchoring = anchoringOf(null, outside.policy.quorum);
  const seenSizes = new Set<number>();
  /** Up to here somebody outside holds the same. */
  let agreed = 0;

  return {
    /** The root that the rows give for a size at which a checkpoint is stored. */
    reached(size: number, root: Uint8Array, note: string, isConfirmed: boolean): void {
      seenSizes.add(size);
      for (const view of views.filter((view) => view.size === size)) {
        if (equal(view.root, root)) agreed = size;
        else {
          const what = `${view.who} holds a checkpoint over ${size} entries that this ledger signed, with another root: entries ${agreed} to ${size - 1} were rewritten, or two ledgers were shown`;
          report(agreed, null, what);
        }
      }
      const lines = outside.cosignatures.get(size);
      if (lines === undefined) return;
      const reading = readCheckpoint(noteCrypto, `${note}${lines.join("")}`, {
        ...options,
        ledgerKeys: options.keys,
        policy: outside.policy,
      });
      if (reading.type === "refused") {
        report(size - 1, null, `What witnesses are said to have signed at ${size} entries they have not: ${reading.why}`);
      } else if (isConfirmed && reading.organisations.length > 0) {
        const found = anchoringOf(reading, outside.policy.quorum);
        if (found.status === "WITNESSED" || anchoring.status === "UNANCHORED") anchoring = found;
        agreed = size;
      }
    },
    /** What is left once all of it has been recomputed. */
    done(size: number): Anchoring {
      for (const view of views.filter((view) => !seenSizes.has(view.size))) {
        if (view.size > size)
          report(
            size,
            null,
            `${view.who} holds a checkpoint over ${view.size} entries, and here are ${size}: the end was removed, or an older state was put back`,
          );
        else if (view.size > 0)
          report(view.size - 1, null, `${view.who} holds a checkpoint over ${view.size} entries, and there is none here: it was removed`);
      }
      for (const cosigned of outside.cosignatures.keys()) {
        if (seenSizes.has(cosigned)) continue;
        report(
          Math.min(cosigned - 1, size),
          null,
          `Witnesses signed a checkpoint over ${cosigned} entries that is not stored any more: it was removed`,
        );
      }
      return anchoring;
    },
  };
}
