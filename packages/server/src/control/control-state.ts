import type { Transaction } from "../database/database.ts";

/**
 * What every server must agree on before it lets anything happen: registry, halts, revocations. One number stands for all of it;
 * whoever changes any of it raises the number in the same transaction, and an intent commits only under the number it was decided under.
 * The number is read without a lock: an intent that commits in the same instant as a halt is stopped in flight, not before it.
 */
export type ControlState = {
  /** Says, in the transaction of the change, that control state has changed. */
  changed(transaction: Transaction): Promise<void>;
  /** Registers what has to be loaded again after a change. It is also run once at the start, in order of registration. */
  onChange(reload: () => Promise<void>): void;
  /**
   * The number that this server's copy stands for.
   * @throws RemitError `control-state-stale` when the copy was last confirmed too long ago.
   */
  epoch(): number;
  /** Told of every confirmation, once the copy stands for this number. Nobody waits for what it does. */
  onConfirmed(listener: (epoch: number) => Promise<void> | void): void;
  /**
   * Resolves while the copy is fresh; where it is not, waits some seconds for it to be confirmed.
   * @throws RemitError `control-state-stale`
   */
  confirmed(): Promise<void>;
  /** Confirms the copy now, loading again what has changed. Called after a change of one's own, so that it is seen at once. */
  refresh(): Promise<void>;
};
