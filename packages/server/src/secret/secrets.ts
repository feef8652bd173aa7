import type { RotateSecret, SecretView, StoreSecret } from "@remit/contract";
import type { Page, PageQuery } from "../http/page.ts";

/** A secret as the broker alone gets it. */
export type OpenedSecret = { path: string; version: number; value: string };

/** The embedded store. What goes in never comes out, except to the broker. */
export type Secrets = {
  /** @throws RemitError `conflict` where there is one already. */
  set(secret: StoreSecret, actor: string): Promise<SecretView>;
  /** A new version. @throws RemitError `not-found` */
  rotate(secret: RotateSecret, actor: string): Promise<SecretView>;
  /** Destroys all versions and ends the leases that rest on them. @throws RemitError `not-found` | `conflict` (in use, without `force`) */
  remove(path: string, options: { force: boolean }, actor: string): Promise<void>;
  list(query: PageQuery): Promise<Page<SecretView>>;
  /** Which of these paths a secret is kept at. */
  which(paths: readonly string[]): Promise<ReadonlySet<string>>;
  /** The newest version. @throws RemitError `credential-missing`, with the command that stores it */
  open(path: string): Promise<OpenedSecret>;
};
