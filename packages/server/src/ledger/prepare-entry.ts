import type { KeyObject } from "node:crypto";
import type { Json, NewEntry, PayloadCommitment } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { EntryColumns } from "@remit/core";
import { canonicalJson, entryColumns, entryEvent } from "@remit/core";
import { sealPayload } from "./payload-cipher.ts";

/** An entry as it is written: the bytes that will be hashed, what is searched by, and the sealed payloads. */
export type PreparedEntry = {
  columns: EntryColumns;
  body: Buffer;
  payloads: { name: string; subject: string; ciphertext: Buffer }[];
};

/** C2SP tlog-tiles: an entry's length has 16 bits. What is larger belongs into a payload. */
export const maxBodyLength = 65_535;

/** @throws RemitError `invalid-request` | `invalid-arguments` | `too-large`: this entry cannot be recorded, others can. */
export function prepareEntry(entry: NewEntry, keys: ReadonlyMap<string, KeyObject>, source: string): PreparedEntry {
  const payloads: PreparedEntry["payloads"] = [];
  const commitments: Record<string, PayloadCommitment> = {};
  for (const { name, subject, value } of entry.payloads ?? []) {
    const key = keys.get(subject);
    if (key === undefined) throw new RemitError("internal", `There is no key for the payload "${name}"`);
    if (Object.hasOwn(commitments, name)) throw new RemitError("invalid-request", `The entry has two payloads named "${name}"`);
    const sealed = sealPayload(key, { entryId: entry.id, name, subject }, value);
    commitments[name] = sealed.commitment;
    payloads.push({ name, subject, ciphertext: sealed.ciphertext });
  }
  const event = entryEvent(entry, commitments, source);
  const body = Buffer.from(canonicalJson(event as Json));
  if (body.length > maxBodyLength) {
    throw new RemitError(
      "too-large",
      `An entry takes ${maxBodyLength} bytes and this has ${body.length}: put what is large into a payload`,
    );
  }
  const columns = entryColumns(event);
  for (const column of Object.values(columns)) {
    if (column?.includes("\0")) throw new RemitError("invalid-request", "A name in an entry holds the character U+0000");
  }
  return { columns, body, payloads };
}

/** Whose keys the payloads of these entries need. */
export function subjectsOf(entries: readonly NewEntry[]): string[] {
  const subjects = new Set<string>();
  for (const entry of entries) for (const payload of entry.payloads ?? []) subjects.add(payload.subject);
  return [...subjects];
}
