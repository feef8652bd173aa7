import type { KeyObject } from "node:crypto";
import type { Queryable } from "../database/database.ts";

/** A key by what it is called here; `id` is what the ledger calls it, which for a data subject says nothing about who it is. */
export type HeldKey = { id: string; key: KeyObject };

/** Seals what is sealed under all of the named keys. `reference` is what it takes to open it again. */
export type Sealer = (names: readonly string[]) => { reference: string; key: KeyObject };

/** Which payload it is: some are kept beyond what their keys are, because somebody they are about is held. */
export type PayloadName = { entryId: string; name: string };

/** The data keys of payloads. A payload is sealed under a key that takes several to derive: destroying any of them erases it. */
export type PayloadKeys = {
  /**
   * The keys of these names, made where there are none yet: in the caller's transaction, so that taking part in one
   * never waits for a second connection of a pool that transactions have used up.
   */
  forSealing(on: Queryable, names: readonly string[]): Promise<Sealer>;
  /** The same without asking anybody; null where one of them is not at hand. */
  atHand(names: readonly string[]): Sealer | null;
  /** Null: one of its keys was destroyed. */
  forOpening(reference: string, payload?: PayloadName): Promise<KeyObject | null>;
  /** Drops what is at hand: keys have been destroyed. */
  forget(): void;
};
