import { createSecretKey, timingSafeEqual } from "node:crypto";
import { RemitError } from "@remit/contract";
import { DatabaseError } from "pg";
import type { Database, Transaction } from "../database/database.ts";
import { openDatabase } from "../database/database.postgres.ts";
import { doesNotOpen } from "../keys/master-key.ts";
import type { MasterKey } from "../keys/master-key.ts";
import { createDataSubjects } from "../ledger/data-subjects.ts";
import { keySetCode, keySetPurpose } from "../ledger/ledger-keys.service.ts";
import { dataSubjectMark, payloadKeyContext } from "../ledger/payload-key-names.ts";
import { createKeyRewriter } from "../privacy/key-rewriter.postgres.ts";
import { wrappedLength } from "../secret/secret-envelope.ts";
import { currentFingerprint, fingerprintOf } from "./master-key-record.postgres.ts";
import type { SealedColumn, SealedRow } from "./sealed-columns.ts";
import { sealedColumns } from "./sealed-columns.ts";

export type Rotated = {
  version: number;
  /** How many values were sealed anew. */
  resealed: number;
  /** Whether the bytes of before are out of the tables' files; where not, the servers go on trying. */
  rewritten: boolean;
};

/** One that has not been heard of for so long is not among the living: three of the beats that others wait for, and more. */
const aliveSeconds = 10;
const rowsAtOnce = 500;

/**
 * Seals everything anew that the old master key has sealed, in one transaction: afterwards the old key opens nothing here. Backups of before
 * open with the old key only, so destroying that destroys them. No server may be running; one that slept through it does not decide any more.
 * Null where the new key is in force already, as after a rotation that was cut short behind its commit.
 * @throws RemitError `conflict` where a server runs or the database is in use | `database-mismatch` where the old key does not open everything
 */
export async function rotateMasterKey(options: {
  /** The owner of the schema. */
  url: string;
  ownsCluster: boolean;
  from: MasterKey;
  to: MasterKey;
  by: string;
  onError: (error: unknown) => void;
}): Promise<Rotated | null> {
  const { url, from, to, by } = options;
  const database = openDatabase({ url, role: null, poolSize: 1 });
  try {
    const [there] = await database.query<{ there: boolean }>("SELECT to_regclass('master_key') IS NOT NULL AS there");
    if (there?.there !== true)
      throw new RemitError("database-mismatch", "This database is of an earlier version; start a server of this one on it first.");
    const done = await resealAll(database, { from, to, by });
    if (done === null) return null;
    const rewriter = createKeyRewriter({ ownerUrl: url, ownsCluster: options.ownsCluster, onError: options.onError });
    return { ...done, rewritten: await rewriter.rewrite() };
  } catch (error) {
    if (error instanceof DatabaseError && error.code === "55P03")
      throw new RemitError("conflict", "Somebody is using this database; stop every server, and what else writes to it.", { cause: error });
    throw error;
  } finally {
    await database.close();
  }
}

async function resealAll(
  database: Database,
  { from, to, by }: { from: MasterKey; to: MasterKey; by: string },
): Promise<Omit<Rotated, "rewritten"> | null> {
  const [old, next] = [fingerprintOf(from), fingerprintOf(to)];
  if (old === next) throw new RemitError("invalid-configuration", "The new master key is the old one.");
  return database.transaction(async (transaction) => {
    await transaction.query("SET LOCAL lock_timeout = '10s'");
    // Nobody writes what the old key has sealed, and no server comes up, until this has committed.
    const relations = sealedColumns.map(({ relation }) => relation);
    await transaction.query(
      `LOCK TABLE server_instance, master_key, ${relations.join(", ")}, data_subject, ledger_key_set, key_rewrite IN EXCLUSIVE MODE`,
    );
    const current = await currentFingerprint(transaction);
    if (current?.fingerprint === next) return null;
    if (current !== null && current.fingerprint !== old) throw doesNotOpen("what is sealed");
    const known = await transaction.query("SELECT FROM master_key WHERE fingerprint = $1", [next]);
    if (known.length > 0) throw new RemitError("invalid-configuration", "The new master key has been replaced before; make another.");
    await refuseWhileServed(transaction);

    let resealed = 0;
    for (const column of sealedColumns) resealed += await resealColumn(transaction, column, from, to);
    resealed += await renameSubjects(transaction, to);
    resealed += await rebindKeySets(transaction, from, to);
    const version = (current?.version ?? 0) + 1;
    await transaction.query("INSERT INTO master_key (version, fingerprint, rotated_by, resealed) VALUES ($1, $2, $3, $4)", [
      version,
      next,
      by,
      resealed,
    ]);
    // Whoever has the old key and these files shall find nothing that it opens: the tables are written anew.
    await transaction.query(
      `INSERT INTO key_rewrite (relation) SELECT c.oid::regclass::text FROM pg_class c
         WHERE c.relkind = 'r' AND c.oid IN (SELECT relid FROM unnest($1::text[]) AS r (name), pg_partition_tree(r.name::regclass)
           UNION SELECT name::regclass FROM unnest($1::text[]) AS r (name))
       ON CONFLICT (relation) DO UPDATE SET since = clock_timestamp()`,
      [[...relations, "data_subject"]],
    );
    // A server that was asleep all the while finds out before it decides anything.
    await transaction.query("UPDATE control_state SET epoch = epoch + 1");
    return { version, resealed };
  });
}

async function refuseWhileServed(transaction: Transaction): Promise<void> {
  const rows = await transaction.query<{ name: string }>(
    "SELECT coalesce(name, id::text) AS name FROM server_instance WHERE heartbeat_at > clock_timestamp() - make_interval(secs => $1) ORDER BY 1",
    [aliveSeconds],
  );
  if (rows.length === 0) return;
  throw new RemitError(
    "conflict",
    `These servers hold the old master key: ${rows.map(({ name }) => name).join(", ")}. Stop them first; one that was killed is forgotten ` +
      `after ${aliveSeconds} s.`,
  );
}

async function resealColumn(transaction: Transaction, sealed: SealedColumn, from: MasterKey, to: MasterKey): Promise<number> {
  const { relation, key, also = [], column, context, isEnvelope } = sealed;
  const names = Object.keys(key);
  const values = names.map((name, index) => `$${index + 2}::${key[name]}[]`).join(", ");
  const update = `UPDATE ${relation} SET ${column} = n.fresh FROM unnest($1::bytea[], ${values}) AS n (fresh, ${names.map((name) => `k_${name}`).join(", ")})
    WHERE ${names.map((name) => `${relation}.${name} = n.k_${name}`).join(" AND ")}`;
  return inPages(
    transaction,
    `SELECT ${[...names, ...also, column].join(", ")} FROM ${relation} WHERE ${column} IS NOT NULL`,
    async (rows) => {
      const fresh = rows.map((row) => {
        const whole = row[column] as Buffer;
        const [own, rest] = isEnvelope ? [whole.subarray(0, wrappedLength), whole.subarray(wrappedLength)] : [whole, Buffer.alloc(0)];
        const plain = from.open(own, context(row));
        if (plain === null) throw doesNotOpen(`a row of ${relation} (${names.map((name) => shown(row[name])).join(" ")})`);
        const again = to.seal(plain, context(row));
        plain.fill(0);
        return Buffer.concat([again, rest]);
      });
      await transaction.query(update, [fresh, ...names.map((name) => rows.map((row) => row[name]))]);
    },
  );
}

/** Data subjects are found by an HMAC of their name, which only their own key opens. */
async function renameSubjects(transaction: Transaction, to: MasterKey): Promise<number> {
  const subjects = createDataSubjects(to);
  // Their keys are under the new master key by now.
  const text = `SELECT d.key_name, d.sealed, k.wrapped FROM data_subject d LEFT JOIN payload_key k ON k.subject = d.key_name`;
  return inPages(transaction, text, async (rows) => {
    const lookups = rows.map(({ key_name, sealed, wrapped }) => {
      const id = String(key_name);
      const key = wrapped instanceof Buffer ? to.open(wrapped, payloadKeyContext(id)) : null;
      const name = key === null ? null : subjects.open(createSecretKey(key), id, sealed as Buffer);
      if (name === null) throw doesNotOpen(`the name of the data subject ${id}`);
      return subjects.lookup(`${dataSubjectMark}${name}`);
    });
    await transaction.query(
      "UPDATE data_subject d SET lookup = n.lookup FROM unnest($1::bytea[], $2::text[]) AS n (lookup, name) WHERE d.key_name = n.name",
      [lookups, rows.map(({ key_name }) => key_name)],
    );
  });
}

/** Only what the old key has bound: what somebody else has written stays what it is, forged. */
async function rebindKeySets(transaction: Transaction, from: MasterKey, to: MasterKey): Promise<number> {
  const [old, next] = [from.derive(keySetPurpose), to.derive(keySetPurpose)];
  const rows = await transaction.query<{ version: number; keys: string; entry_id: string; code: Buffer }>(
    "SELECT version, keys, entry_id, code FROM ledger_key_set",
  );
  let bound = 0;
  for (const { version, keys, entry_id: entryId, code } of rows) {
    const row = { version, keys, entryId };
    if (code.length !== 32 || !timingSafeEqual(code, keySetCode(old, row))) continue;
    await transaction.query("UPDATE ledger_key_set SET code = $2 WHERE version = $1", [version, keySetCode(next, row)]);
    bound += 1;
  }
  return bound;
}

/** However many rows there are, few are held at once. What is changed meanwhile is not seen again. */
async function inPages(transaction: Transaction, select: string, work: (rows: readonly SealedRow[]) => Promise<void>): Promise<number> {
  let count = 0;
  await transaction.query(`DECLARE page_of_rows INSENSITIVE CURSOR FOR ${select}`);
  for (;;) {
    const rows = await transaction.query<SealedRow>(`FETCH ${rowsAtOnce} FROM page_of_rows`);
    if (rows.length === 0) break;
    await work(rows);
    count += rows.length;
  }
  await transaction.query("CLOSE page_of_rows");
  return count;
}

function shown(value: SealedRow[string] | undefined): string {
  return value instanceof Buffer ? value.toString("hex") : String(value);
}
