import type { Queryable, Transaction } from "../database/database.ts";

/** Where a consumer stands whose place is kept here, and who moves it. */
export type CursorStore = {
  /** Takes the lease if nobody else holds it, making the cursor at `place` if there is none. */
  claim(on: Queryable, name: string, holder: string, leaseMs: number, place: number): Promise<{ place: number; epoch: string } | null>;
  /** Moves it on, and renews the lease. False: somebody else holds it, and nothing was written. */
  move(on: Queryable, name: string, epoch: string, place: number, leaseMs: number): Promise<boolean>;
  list(on: Queryable): Promise<{ name: string; place: number; active: boolean }[]>;
  /** Puts it elsewhere, also back, and takes it from whoever moves it: that one, or another, goes on there. The place before; null: there is none. */
  put(transaction: Transaction, name: string, place: number): Promise<number | null>;
  release(on: Queryable, name: string, epoch: string): Promise<void>;
};
