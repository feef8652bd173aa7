import type { BundleManifest } from "@remit/contract";

/** What a bundle says to a person who opens it. */
export function bundleReadme({ format, origin, population, exportedAt, exportedBy, payloads }: BundleManifest): string {
  const { first, last, count, treeSize } = population;
  return `A part of the ledger "${origin}" (${format})
exported at ${exportedAt} by ${exportedBy}

Entries ${first} to ${last}: ${count} of them, every one, under a signed checkpoint of ${treeSize}. Payloads: ${payloads}.

entries-*.jsonl        one entry a line, from ${first} on: exactly the bytes that are hashed (CloudEvents 1.0 in canonical JSON)
leaves-*.bin           the hash of each, 32 bytes
table-*.csv            the same entries for a spreadsheet
payloads-*.jsonl       what entries refer to: sealed, opened, or said to be erased
checkpoints.jsonl      signed checkpoints, with the cosignatures of witnesses
assessment-results.json  what was seen, as OSCAL assessment results
manifest.json          what this bundle claims, and the hashes that join the entries to the checkpoint
keys.txt               the keys that the exporter names. Do not take them from here: ask for them on another way
statement.intoto.json  a signed statement with the digest of every other file (in-toto, DSSE)

To check all of it, offline:

    node remit-verify.mjs <this folder or archive> --key <the ledger's key, from somewhere else than here>
`;
}
