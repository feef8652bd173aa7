import type { Json, NewEntry, PayloadCommitment } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { EntryColumns } from "@remit/core";
import { canonicalJson, entryColumns, entryEvent } from "@remit/core";
import { sealPayload } from "./payload-cipher.ts";
import { keyNamesOf } from "./payload-key-names.ts";
import type { Sealer } from "./payload-keys.ts";

/** An entry as it is written: the bytes that will be hashed, what is searched by, and the sealed payloads. */
export type PreparedEntry = {
  columns: EntryColumns;
  body: Buffer;
  payloads: { name: string; subject: string; ciphertext: Buffer }[];
};

/** C2SP tlog-tiles: an entry's length has 16 bits. What is larger belongs into a payload. */
export const maxBodyLength = 65_535;

/** @throws RemitError `invalid-request` | `invalid-arguments` | `too-large`: this entry cannot be recorded, others can. */
export function prepareEntry(entry: NewEntry, seal: Sealer, source: string): PreparedEntry {
  const payloads: PreparedEntry["payloads"] = [];
  const commitments: Record<string, PayloadCommitment> = {};
  for (const payload of entry.payloads ?? []) {
    const { name, value } = payload;
    const { reference: subject, key } = seal(keyNamesOf(entry, payload));
    if (Object.hasOwn(commitments, name)) throw new RemitError("invalid-request", `The entry has two payloads named "${name}"`);
    const sealed = sealPayload(key, { entryId: entry.id, name, subject }, value);
    commitments[name] = sealed.commitment;
    payloads.push({ name, subject, ciphertext: sealed.ciphertext });
  }
  const event = entryEvent(entry, commitments, source);
  const text = canonicalJson(event as Json);
  const body = Buffer.from(text);
  if (body.length > maxBodyLength) {
    throw new RemitError(
      "too-large",
      `An entry takes ${maxBodyLength} bytes and this has ${body.length}: put what is large into a payload`,
    );
  }
  const columns = entryColumns(event);
  if (text.includes("\\u0000") && Object.values(columns).some((column) => column?.includes("\0")))
    throw new RemitError("invalid-request", "A name in an entry holds the character U+0000");
  return { columns, body, payloads };
}

/** Which keys the payloads of these entries need; some of them more than once. */
export function keysOf(entries: readonly NewEntry[]): string[] {
  const names: string[] = [];
  for (const entry of entries) for (const payload of entry.payloads ?? []) names.push(...keyNamesOf(entry, payload));
  return names;
}
