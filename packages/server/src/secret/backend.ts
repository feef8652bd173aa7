import type { CredentialSpec, Id } from "@remit/contract";
import type { Challenge, LeaseRequest } from "./broker.ts";
import type { Undo } from "./leases.ts";

/** What a backend gives for one lease. */
export type Material = {
  /** A secret of one value has `value`. */
  fields: Readonly<Record<string, string>>;
  /** Fields that are no secret: a login's name. */
  open: readonly string[];
  /** The versions of the stored secrets that it rests on: another version ends the lease. */
  rests: readonly { path: string; version: number }[];
  /** When it ends by itself; null: never. */
  expiresAt: Date | null;
  /** There is none yet, and the upstream is asked without it: what it says to that tells what it wants. */
  anonymous?: true;
};

/** One credential of one lease. */
export type Issuing = {
  lease: Id<"lease">;
  request: LeaseRequest;
  credential: CredentialSpec;
  /** How long it is wanted at most. */
  until: Date;
  /** Records what will have to be taken back, before it is made. */
  willUndo: (undo: Undo) => Promise<void>;
};

/** Where credentials of one kind come from. */
export type Backend = {
  /** @throws RemitError `credential-missing` | `credential-expired` | `credential-unavailable` */
  issue(issuing: Issuing): Promise<Material>;
  /** Takes back what was made. Done twice does no harm. */
  undo?(undo: Undo): Promise<void>;
  /** Makes it last longer; until when it does, null when it cannot be. */
  renew?(renewing: Omit<Issuing, "willUndo"> & { undos: readonly Undo[] }): Promise<Date | null>;
  /** The versions now of what leases rest on, of those paths that are its own. */
  versionsOf?(paths: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** The upstream did not take it: true where another may be taken. */
  challenged?(request: LeaseRequest, credential: CredentialSpec, challenge: Challenge, rests: Material["rests"]): Promise<boolean>;
};
