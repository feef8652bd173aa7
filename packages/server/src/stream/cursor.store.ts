import type { Queryable } from "../database/database.ts";

/** Where a consumer stands whose place is kept here, and who moves it. */
export type CursorStore = {
  /** Takes the lease if nobody else holds it, making the cursor at `place` if there is none. */
  claim(on: Queryable, name: string, holder: string, leaseMs: number, place: number): Promise<{ place: number; epoch: string } | null>;
  /** Moves it on, and renews the lease. False: somebody else holds it, and nothing was written. */
  move(on: Queryable, name: string, epoch: string, place: number, leaseMs: number): Promise<boolean>;
  release(on: Queryable, name: string, epoch: string): Promise<void>;
};
