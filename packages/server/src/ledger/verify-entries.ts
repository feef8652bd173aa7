import type { KeyObject } from "node:crypto";
import { ledgerEventSchema } from "@remit/contract";
import type { LedgerEvent } from "@remit/contract";
import { entryColumns, equal } from "@remit/core";
import { createErasures } from "./erasures.ts";
import type { Erasures } from "./erasures.ts";
import { sha256Tree } from "./ledger-key.ts";
import type { LeafRow, LedgerRows, PayloadRow } from "./ledger-rows.ts";
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

/** Larger ciphertexts are read one at a time, so that a page of them never fills the memory. */
const inlineBytes = 16 * 1024;
const pagesAhead = 2;

/** Reads leaves in order, a few pages ahead of whoever takes them, and checks each entry against what is kept beside its body. */
export function checkEntries(given: CheckEntriesOptions): { take(from: number, to: number): Promise<(CheckedLeaf | null)[]> } {
  const erasures = createErasures(given.rows);
  const options = { ...given, ...(given.payloadKeys === undefined ? {} : { payloadKeys: rememberKeys(given.payloadKeys) }), erasures };
  const { rows, end, pageSize, report } = options;
  let buffer: CheckedLeaf[] = [];
  /** Pages that are being read, in order. */
  const ahead: Promise<Page>[] = [];
  let requested = 0;
  let checked = 0;

  async function read(from: number): Promise<Page> {
    const to = Math.min(from + pageSize, end);
    const [leaves, payloads] = await Promise.all([rows.leaves(from, to), rows.payloads(from, to, inlineBytes)]);
    return { leaves, payloads };
  }

  /** The next page; null at the end. The database reads further ones while this one is checked. */
  async function nextPage(): Promise<Page | null> {
    for (; ahead.length < pagesAhead && requested < end; requested += pageSize) {
      const page = read(requested);
      // It may fail before it is its turn; then it is thrown.
      page.catch(() => {});
      ahead.push(page);
    }
    return (await ahead.shift()) ?? null;
  }

  function toLeaf({ seq, entryId, leafHash, entry }: LeafRow): CheckedLeaf {
    return { seq, entryId, leafHash, bodyHash: entry === null ? null : sha256Tree.leaf(entry.body) };
  }

  return {
    async take(from, to) {
      while (checked < to) {
        const page = await nextPage();
        if (page === null) break;
        const leaves = page.leaves.map(toLeaf);
        await checkPage(page, leaves, options);
        for (const leaf of leaves) buffer.push(leaf);
        checked += pageSize;
      }
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
    async forOpening(reference, payload) {
      const key = known.get(reference) ?? keys.forOpening(reference);
      if (known.size >= 10_000) known.clear();
      known.set(reference, key);
      // One that is held is opened by a key of its own.
      return (await key) ?? (payload === undefined ? null : keys.forOpening(reference, payload));
    },
  };
}

type Page = { leaves: LeafRow[]; payloads: PayloadRow[] };

type PageOptions = CheckEntriesOptions & { erasures: Erasures };

async function checkPage(page: Page, leaves: readonly CheckedLeaf[], options: PageOptions): Promise<void> {
  const events = new Map<string, { seq: number; event: LedgerEvent }>();
  for (const [index, row] of page.leaves.entries()) {
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
  await checkPayloads(events, page.payloads, options);
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
  stored: readonly PayloadRow[],
  options: PageOptions,
): Promise<void> {
  const found = new Set(stored.map(({ entryId, name }) => `${entryId} ${name}`));
  for (const [id, { seq, event }] of events) {
    for (const name of Object.keys(event.data.payloads ?? {})) {
      if (!found.has(`${id} ${name}`)) options.report(seq, id, `The payload "${name}" of ${id} is missing: it was removed`);
    }
  }
  for (const row of stored) {
    const recorded = events.get(row.entryId);
    if (recorded === undefined) continue;
    options.payloads.sealed += 1;
    const wrong = await wrongWithPayload(row, recorded, options);
    if (wrong !== null) options.report(recorded.seq, row.entryId, `The payload "${row.name}" of ${row.entryId} ${wrong}`);
  }
}

async function wrongWithPayload(
  row: PayloadRow,
  { seq, event: { data, time } }: { seq: number; event: LedgerEvent },
  options: PageOptions,
): Promise<string | null> {
  const commitment = data.payloads?.[row.name];
  if (commitment === undefined) return "is not one that was recorded: it was put in";
  const ciphertext = row.ciphertext ?? (await options.rows.ciphertext(row.entryId, row.name));
  if (ciphertext === null || ciphertextDigest(ciphertext) !== commitment.sealed) return "was changed";
  if (options.payloadKeys === undefined) return null;
  const key = await options.payloadKeys.forOpening(row.subject, row);
  if (key !== null && openPayload(key, row, ciphertext)?.commitment === commitment.commitment) {
    options.payloads.opened += 1;
    return null;
  }
  // Of what somebody does after his key was erased, the new key has the same name; it opens nothing that was before.
  if (await options.erasures.explain(row.subject, { seq, at: time })) {
    options.payloads.erased += 1;
    return null;
  }
  return key === null
    ? "has lost its key, and no entry says that it was erased: the key was removed"
    : "does not open as what was recorded: its subject or its key was changed";
}
