import { formatNoteKey, ledgerKeysAt } from "@remit/core";
import type { LedgerKeyChange, NoteKey } from "@remit/core";
import type { Signed } from "./checkpoints.ts";
import type { Problems } from "./problems.ts";
import type { Trust } from "./trust.ts";

type Options = {
  checkpoints: readonly Signed[];
  /** What the bundle states of itself, over the ledger of so many entries. */
  statement: { size: number; signedBy: readonly NoteKey[] };
  /** What the entries of the range say about keys, and where it ends. */
  changes: readonly LedgerKeyChange[];
  end: number;
  trust: Trust;
  problems: Problems;
};

/**
 * A key that the ledger has given up signs nothing any more, whoever has it, and one that signs signs everything. What a range does not say
 * about keys, because it begins later, whoever trusts them has to know.
 */
export function checkKeys({ checkpoints, statement, changes, end, trust, problems }: Options): void {
  const known = new Set(trust.keys.map(formatNoteKey));

  /** Those of them that had not been given up at this size. */
  function valid(size: number, signedBy: readonly NoteKey[]): string[] {
    const retired = new Set(changes.filter(({ seq }) => seq < size).flatMap(({ keys }) => keys.retired.map(formatNoteKey)));
    return signedBy.map(formatNoteKey).filter((key) => !retired.has(key) && size <= (trust.retired?.get(key) ?? Number.MAX_SAFE_INTEGER));
  }

  function whyNot(size: number, signedBy: readonly NoteKey[]): string | null {
    const good = valid(size, signedBy);
    if (good.length === 0) return "is signed with a key alone that the ledger had retired by then";
    // Beyond the range the keys may have been changed again.
    const must = size <= end ? ledgerKeysAt(changes, size).must.map(formatNoteKey) : [];
    const missing = must.find((key) => known.has(key) && !good.includes(key));
    return missing === undefined
      ? null
      : `lacks the signature of ${missing.slice(0, missing.lastIndexOf("+"))}, which was to sign it as well`;
  }

  for (const { checkpoint, signedBy } of checkpoints) {
    const why = whyNot(checkpoint.size, signedBy);
    if (why !== null) problems.report("tampered", null, `The checkpoint of ${checkpoint.size} entries ${why}`);
  }
  // One that none of the keys has signed is known of already.
  if (statement.signedBy.length > 0 && valid(statement.size, statement.signedBy).length === 0)
    problems.report("tampered", null, "What the bundle states of itself is signed with a key alone that the ledger had retired by then");
}
