import { ledgerEventSchema } from "@remit/contract";
import type { BundlePayload, LedgerEvent, PayloadForm } from "@remit/contract";
import { createErasures } from "../ledger/erasures.ts";
import type { Erasures } from "../ledger/erasures.ts";
import type { LeafRow, LedgerRows, PayloadRow } from "../ledger/ledger-rows.ts";
import { openPayload } from "../ledger/payload-cipher.ts";
import type { PayloadKeys } from "../ledger/payload-keys.ts";

/** One place of the ledger as it is exported. Whatever the rows say is passed on: the verifier judges, not the exporter. */
export type BundleEntry = {
  seq: number;
  /** Null: there is no such row, or its body is not one line of text any more. */
  body: Buffer | null;
  /** Null: there is no body, or it is not an event. */
  event: LedgerEvent | null;
  leafHash: Buffer;
  payloads: BundlePayload[];
};

export type BundlePagesOptions = {
  rows: LedgerRows;
  payloadKeys: Pick<PayloadKeys, "forOpening">;
  form: PayloadForm;
  first: number;
  last: number;
  pageSize?: number;
};

type PageOptions = BundlePagesOptions & { erasures: Erasures };

/** Ciphertexts up to this length come with their page. */
const inlineBytes = 16 * 1024;
const noHash = Buffer.alloc(32);

/** The entries of a range, a page at a time, in order and without a gap. */
export async function* bundlePages(given: BundlePagesOptions): AsyncGenerator<BundleEntry[]> {
  const options = { ...given, erasures: createErasures(given.rows) };
  const { rows, form, first, last, pageSize = 1_000 } = options;
  for (let from = first; from <= last; from += pageSize) {
    const to = Math.min(from + pageSize, last + 1);
    const [leaves, payloads] = await Promise.all([rows.leaves(from, to), form === "none" ? [] : rows.payloads(from, to, inlineBytes)]);
    const bySeq = new Map(leaves.map((leaf) => [leaf.seq, leaf]));
    const byEntry = Map.groupBy(payloads, ({ entryId }) => entryId);
    const page: BundleEntry[] = [];
    for (let seq = from; seq < to; seq += 1) page.push(await bundleEntry(seq, bySeq.get(seq), byEntry, options));
    yield page;
  }
}

async function bundleEntry(
  seq: number,
  leaf: LeafRow | undefined,
  byEntry: ReadonlyMap<string, PayloadRow[]>,
  options: PageOptions,
): Promise<BundleEntry> {
  const body = leaf?.entry?.body ?? null;
  const leafHash = leaf?.leafHash.length === noHash.length ? leaf.leafHash : noHash;
  // A line break in a body would make two lines of it: whoever put it there has changed the body.
  if (leaf === undefined || body === null || body.includes(0x0a)) return { seq, body: null, event: null, leafHash, payloads: [] };
  const event = eventOf(body);
  const payloads: BundlePayload[] = [];
  if (options.form !== "none") {
    const stored = new Map(byEntry.get(leaf.entryId)?.map((row) => [row.name, row]));
    for (const name of Object.keys(event?.data.payloads ?? {}).sort())
      payloads.push(await bundlePayload({ seq, name, sealedAt: event?.time ?? "" }, stored.get(name), options));
  }
  return { seq, body, event, leafHash, payloads };
}

async function bundlePayload(
  { seq, name, sealedAt }: { seq: number; name: string; sealedAt: string },
  row: PayloadRow | undefined,
  { rows, payloadKeys, erasures, form }: PageOptions,
): Promise<BundlePayload> {
  const ciphertext = row === undefined ? null : (row.ciphertext ?? (await rows.ciphertext(row.entryId, name)));
  if (row === undefined || ciphertext === null) return { seq, name, state: "missing" };
  const key = await payloadKeys.forOpening(row.subject, row);
  const sealed = ciphertext.toString("base64");
  if (key !== null && form === "sealed") return { seq, name, state: "sealed", ciphertext: sealed };
  const opened = key === null ? null : openPayload(key, row, ciphertext);
  if (opened === null) {
    const state = (await erasures.explain(row.subject, { seq, at: sealedAt })) ? "erased" : "damaged";
    return { seq, name, state, ciphertext: sealed };
  }
  return { seq, name, state: "open", salt: opened.salt.toString("hex"), value: opened.value };
}

function eventOf(body: Buffer): LedgerEvent | null {
  try {
    const parsed = ledgerEventSchema.safeParse(JSON.parse(body.toString()));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
