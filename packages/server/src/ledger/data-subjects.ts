import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { MasterKey } from "../keys/master-key.ts";
import { dataSubjectMark } from "./payload-key-names.ts";

const nonceLength = 12;
const tagLength = 16;

/** How data subjects are found and named without their names standing anywhere in clear. */
export function createDataSubjects(masterKey: MasterKey) {
  const lookupKey = masterKey.derive("data-subjects");
  return {
    isName: (name: string): boolean => name.startsWith(dataSubjectMark),
    /** The same for the same subject on every server; without the master key nobody can try guesses against it. */
    lookup: (name: string): Buffer => createHmac("sha256", lookupKey).update(name).digest(),
    /** With the subject's own key: destroying that also destroys who it was. */
    seal(key: KeyObject, id: string, name: string): Buffer {
      const nonce = randomBytes(nonceLength);
      const cipher = createCipheriv("aes-256-gcm", nameKey(key), nonce).setAAD(Buffer.from(id));
      return Buffer.concat([nonce, cipher.update(name.slice(dataSubjectMark.length)), cipher.final(), cipher.getAuthTag()]);
    },
    /** Null where this key, or this id, did not seal it. */
    open(key: KeyObject, id: string, sealed: Buffer): string | null {
      if (sealed.length < nonceLength + tagLength) return null;
      const decipher = createDecipheriv("aes-256-gcm", nameKey(key), sealed.subarray(0, nonceLength), { authTagLength: tagLength });
      decipher.setAAD(Buffer.from(id)).setAuthTag(sealed.subarray(-tagLength));
      try {
        return Buffer.concat([decipher.update(sealed.subarray(nonceLength, -tagLength)), decipher.final()]).toString();
      } catch {
        return null;
      }
    },
  };
}

/** Not the key that payloads are derived from. */
function nameKey(key: KeyObject): Buffer {
  return createHmac("sha256", key).update("remit data-subject name").digest();
}
