import { randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";
import { z } from "zod";

const recordSchema = z.strictObject({
  format: z.literal(1),
  /** The cluster's system identifier: this record belongs to no other. */
  cluster: z.string(),
  port: z.int(),
  ownerPassword: z.string(),
  applicationPassword: z.string(),
});

/** What Remit knows of the cluster that it made, in `record.json` beside the cluster's files; readable by its owner alone. */
export type ClusterRecord = z.infer<typeof recordSchema>;

const recordFile = (home: string) => join(home, "record.json");

/** @throws RemitError `database-mismatch` when there is none, or none that can be read. */
export async function readRecord(home: string): Promise<ClusterRecord> {
  let cause: unknown;
  try {
    return recordSchema.parse(JSON.parse(await readFile(recordFile(home), "utf8")));
  } catch (error) {
    cause = error;
  }
  throw new RemitError(
    "database-mismatch",
    `${home} holds a PostgreSQL cluster but no readable record.json, so it was not made by Remit or is not whole. ` +
      "Restore the whole data folder, or choose another one with REMIT_DATA_DIR. Nothing was changed.",
    { cause },
  );
}

/** Whole or not at all: a half-written record would lock its owner out of the cluster. */
export async function writeRecord(home: string, record: ClusterRecord): Promise<void> {
  const fresh = `${recordFile(home)}.${randomUUID()}`;
  await writeFile(fresh, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600, flush: true });
  await rename(fresh, recordFile(home));
}
