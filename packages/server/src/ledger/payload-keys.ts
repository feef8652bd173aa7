import type { KeyObject } from "node:crypto";
import type { Queryable } from "../database/database.ts";

/** The data keys of payloads, one for each subject. */
export type PayloadKeys = {
  /**
   * The keys of these subjects, made where there are none yet: in the caller's transaction, so that taking part in one
   * never waits for a second connection of a pool that transactions have used up.
   */
  forSealing(on: Queryable, subjects: readonly string[]): Promise<ReadonlyMap<string, KeyObject>>;
  /** The same without asking anybody; null where one of them is not at hand. */
  atHand(subjects: readonly string[]): ReadonlyMap<string, KeyObject> | null;
  /** Null: it was erased. */
  forOpening(subject: string): Promise<KeyObject | null>;
};
