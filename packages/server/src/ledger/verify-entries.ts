import type { KeyObject } from "node:crypto";
import { ledgerEventSchema } from "@remit/contract";
import type { LedgerEvent } from "@remit/contract";
import { entryColumns, equal } from "@remit/core";
import { sha256Tree } from "./ledger-key.ts";
import type { LeafRow, LedgerRows } from "./ledger-rows.ts";
import { ciphertextDigest, openPayload } from "./payload-cipher.ts";
import type { PayloadKeys } from "./payload-keys.ts";
import type { Report } from "./verify-ledger.ts";

/** A leaf as it is stored. `bodyHash` is recomputed; null when there is no such entry. */
export type CheckedLeaf = { seq: number; entryId: string; leafHash: Uint8Array; bodyHash: Uint8Array | null };

export type PayloadCounts = { sealed: number; opened: number; erased: number };

export type CheckEntriesOptions = {
  rows: LedgerRows;
  payloadKeys?: Pick<PayloadKeys, "forOpening">;
  /** The first sequence number that is not checked. */
  end: number;
  pageSize: number;
  report: Report;
  payloads: PayloadCounts;
};

const chunkBytes = 8 * 1024 * 1024;

/** Reads leaves in order, one page ahead of whoever takes them, and checks each entry against what is kept beside its body. */
export function checkEntries(given: CheckEntriesOptions): { take(from: number, to: number): Promise<(CheckedLeaf | null)[]> } {
  const options = given.payloadKeys === undefined ? given : { ...given, payloadKeys: rememberKeys(given.payloadKeys) };
  const { rows, end, pageSize, report } = options;
  let buffer: CheckedLeaf[] = [];
  let next = 0;
  let ahead: Promise<LeafRow[]> | null = null;

  async function fill(): Promise<boolean> {
    const page = await (ahead ?? rows.leaves(next, end, pageSize));
    next = (page.at(-1)?.seq ?? end - 1) + 1;
    ahead = next < end ? rows.leaves(next, end, pageSize) : null;
    // It may fail while this page is being checked; it is awaited, and thrown, with the next.
    ahead?.catch(() => {});
    const leaves = page.map(toLeaf);
    await checkPage(page, leaves, options);
    buffer.push(...leaves);
    return page.length > 0;
  }

  function toLeaf({ seq, entryId, leafHash, entry }: LeafRow): CheckedLeaf {
    return { seq, entryId, leafHash, bodyHash: entry === null ? null : sha256Tree.leaf(entry.body) };
  }

  return {
    async take(from, to) {
      while ((buffer.at(-1)?.seq ?? -1) < to - 1 && next < end && (await fill()));
      const taken: (CheckedLeaf | null)[] = Array.from({ length: to - from }, () => null);
      let used = 0;
      for (const leaf of buffer) {
        if (leaf.seq >= to) break;
        used += 1;
        if (leaf.seq < from) report(leaf.seq, leaf.entryId, `Leaf ${leaf.seq} is stored twice`);
        else if (taken[leaf.seq - from] !== null) report(leaf.seq, leaf.entryId, `Leaf ${leaf.seq} is stored twice`);
        else taken[leaf.seq - from] = leaf;
      }
      buffer = buffer.slice(used);
      return taken;
    },
  };
}

/** Keys of this one run: whether a key was erased is asked of the database, and once. */
function rememberKeys(keys: Pick<PayloadKeys, "forOpening">): Pick<PayloadKeys, "forOpening"> {
  const known = new Map<string, Promise<KeyObject | null>>();
  return {
    forOpening(subject) {
      const key = known.get(subject) ?? keys.forOpening(subject);
      if (known.size >= 10_000) known.clear();
      known.set(subject, key);
      return key;
    },
  };
}

async function checkPage(page: readonly LeafRow[], leaves: readonly CheckedLeaf[], options: CheckEntriesOptions): Promise<void> {
  const events = new Map<string, { seq: number; event: LedgerEvent }>();
  for (const [index, row] of page.entries()) {
    const bodyHash = leaves[index]?.bodyHash ?? null;
    // What a changed body says of the rest is worth nothing; that it was changed is found against the checkpoint.
    if (row.entry === null || bodyHash === null || !equal(bodyHash, row.leafHash)) continue;
    const event = parseEvent(row.entry.body);
    if (event === null) {
      options.report(row.seq, row.entryId, `The body of ${row.entryId} is not an event`);
      continue;
    }
    events.set(row.entryId, { seq: row.seq, event });
    const column = differingColumn(row.entry, event);
    if (column !== null)
      options.report(row.seq, row.entryId, `The column ${column} of ${row.entryId} is not what its signed body says: it was changed`);
  }
  await checkPayloads(events, options);
}

function parseEvent(body: Buffer): LedgerEvent | null {
  try {
    const event = ledgerEventSchema.safeParse(JSON.parse(body.toString()));
    return event.success ? event.data : null;
  } catch {
    return null;
  }
}

function differingColumn({ columns, atMs }: NonNullable<LeafRow["entry"]>, event: LedgerEvent): string | null {
  const { at, ...signed } = entryColumns(event);
  for (const [name, value] of Object.entries(signed)) {
    if (columns[name as keyof typeof columns] !== value) return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }
  return Number(atMs) === Date.parse(at) ? null : "at";
}

async function checkPayloads(
  events: ReadonlyMap<string, { seq: number; event: LedgerEvent }>,
  options: CheckEntriesOptions,
): Promise<void> {
  const { rows, report } = options;
  const wanted = [...events].filter(([, { event }]) => event.data.payloads !== undefined).map(([id]) => id);
  const stored = await rows.payloadsOf([...events.keys()]);
  const found = new Set(stored.map(({ entryId, name }) => `${entryId} ${name}`));
  for (const id of wanted) {
    const { seq, event } = events.get(id) ?? {};
    for (const name of Object.keys(event?.data.payloads ?? {})) {
      if (!found.has(`${id} ${name}`)) report(seq ?? null, id, `The payload "${name}" of ${id} is missing: it was removed`);
    }
  }
  for (const chunk of chunks(stored)) {
    const places = new Map(chunk.map((place) => [`${place.entryId} ${place.name}`, place]));
    for (const { entryId, name, ciphertext } of await rows.ciphertexts(chunk)) {
      const { seq, event } = events.get(entryId) ?? {};
      const commitment = event?.data.payloads?.[name];
      const place = places.get(`${entryId} ${name}`);
      options.payloads.sealed += 1;
      if (commitment === undefined || place === undefined) {
        report(seq ?? null, entryId, `The payload "${name}" of ${entryId} is not one that was recorded: it was put in`);
      } else if (ciphertextDigest(ciphertext) !== commitment.sealed) {
        report(seq ?? null, entryId, `The payload "${name}" of ${entryId} was changed`);
      } else if (options.payloadKeys !== undefined) {
        const key = await options.payloadKeys.forOpening(place.subject);
        const opened = key === null ? null : openPayload(key, place, ciphertext);
        if (key === null) options.payloads.erased += 1;
        else if (opened?.commitment === commitment.commitment) options.payloads.opened += 1;
        else
          report(
            seq ?? null,
            entryId,
            `The payload "${name}" of ${entryId} does not open as what was recorded: its subject or its key was changed`,
          );
      }
    }
  }
}

/** So many payloads at a time as fit into memory, whatever their sizes. */
function chunks<Place extends { length: number }>(places: readonly Place[]): Place[][] {
  const parts: Place[][] = [];
  let bytes = Infinity;
  for (const place of places) {
    if (bytes + place.length > chunkBytes) {
      parts.push([]);
      bytes = 0;
    }
    bytes += place.length;
    parts.at(-1)?.push(place);
  }
  return parts;
}
