import type { NewEntry } from "@remit/contract";
import type { PreparedStatement, Transaction } from "../database/database.ts";

declare const committed: unique symbol;

/**
 * Proof that entries were appended in a transaction. It becomes a {@link Committed} only when that transaction has committed;
 * the executor takes nothing else, so an action cannot run before its intent is durable.
 */
export type Committed<Kind extends string> = { readonly [committed]: Kind; readonly actionId: string };

/** Appending to the ledger. Reading, verifying and sequencing are other ports. */
export type Ledger = {
  /** Appends entries in the transaction of the state change that they record. */
  append(transaction: Transaction, entries: readonly NewEntry[]): Promise<void>;
  /**
   * {@link append} as one statement, for a transaction that is sent whole. Null where a subject's key is not at hand.
   * @throws RemitError where one of the entries has no form that can be recorded
   */
  statementFor(entries: readonly NewEntry[]): PreparedStatement | null;
  /** Says that what {@link statementFor} gave has been committed: it is sequenced sooner for it. */
  appended(): void;
  /** Appends entries that record no state of ours (a refused token, a denial), many callers to one commit. Resolves once durable. */
  record(entry: NewEntry): Promise<void>;
};
