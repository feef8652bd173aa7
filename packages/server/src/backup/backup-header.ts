import { RemitError } from "@remit/contract";
import { z } from "zod";

const format = "remit-backup/1";

/** What a backup says of itself before its tables. */
export const backupHeaderSchema = z.object({
  format: z.literal(format),
  version: z.string(),
  takenAt: z.iso.datetime(),
  /** Which Remit it is of. */
  instance: z.uuid(),
  migrations: z.array(z.object({ number: z.int(), name: z.string(), sha256: z.string() })),
  /** The last checkpoint in it; null for an empty ledger. */
  checkpoint: z.object({ size: z.int(), root: z.base64(), note: z.string() }).nullable(),
});
export type BackupHeader = z.infer<typeof backupHeaderSchema>;

const tableSchema = z.object({ table: z.string(), columns: z.array(z.string()), sequences: z.record(z.string(), z.string()) });
export type BackupTable = z.infer<typeof tableSchema>;

export const backupFormat = format;

/** @throws RemitError `invalid-request` */
export function parseHeader(payload: Buffer): BackupHeader {
  return parsed(backupHeaderSchema, payload);
}

/** @throws RemitError `invalid-request` */
export function parseTable(payload: Buffer): BackupTable {
  return parsed(tableSchema, payload);
}

function parsed<Schema extends z.ZodType>(schema: Schema, payload: Buffer): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(payload.toString("utf8")));
  } catch (cause) {
    throw new RemitError("invalid-request", `This is no backup that this version of Remit reads (${format}).`, { cause });
  }
}
