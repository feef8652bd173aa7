import type { JsonObject } from "@remit/contract";

/** Something of an authorization: a code, a refresh token, a grant, a page that a person is on. */
export type OAuthRecord = {
  model: string;
  /** The hash of what its holder shows. */
  key: Buffer;
  payload: JsonObject;
  /** The grant that it belongs to, and ends with. */
  grantId: string | null;
  expiresAt: Date;
};

/** Where authorizations are kept. */
export type OAuthRecords = {
  put(record: OAuthRecord): Promise<void>;
  find(model: string, key: Buffer, at: Date): Promise<{ payload: JsonObject; consumedAt: Date | null } | null>;
  /** Uses a record, for one caller among however many; false for all others. */
  consume(model: string, key: Buffer, at: Date): Promise<boolean>;
  remove(model: string, key: Buffer): Promise<void>;
  removeGrant(grantId: string): Promise<void>;
};
