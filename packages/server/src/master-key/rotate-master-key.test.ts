import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createKeyStore } from "../keys/key-store.postgres.ts";
import { createMasterKey, loadMasterKey } from "../keys/master-key.ts";
import type { MasterKey } from "../keys/master-key.ts";
import { newId } from "../id/new-id.ts";
import { createLedgerKeyStore } from "../ledger/ledger-keys.postgres.ts";
import { createLedgerKeys } from "../ledger/ledger-keys.service.ts";
import { createLedgerRows } from "../ledger/ledger-rows.postgres.ts";
import { openTestLedger, testEntry, testMasterKey } from "../ledger/ledger.testing.ts";
import { createPayloadKeys } from "../ledger/payload-keys.postgres.ts";
import { verifyLedger } from "../ledger/verify-ledger.ts";
import { heldKeyContext } from "../ledger/payload-key-names.ts";
import { privacyStore } from "../privacy/privacy.postgres.ts";
import { createSubjectKeys } from "../privacy/subject-keys.ts";
import { openSecret, sealSecret } from "../secret/secret-envelope.ts";
import { openKeyChange } from "./master-key-file.ts";
import { confirmMasterKey, recordRotations } from "./master-key-record.postgres.ts";
import { rotateMasterKey } from "./rotate-master-key.postgres.ts";
import { sealedColumns } from "./sealed-columns.ts";
import type { SealedRow } from "./sealed-columns.ts";

const nextKey = createMasterKey(Buffer.alloc(32, 43));

type TestLedger = Awaited<ReturnType<typeof openTestLedger>>;

const rotate = (remit: TestLedger, to = nextKey, from = testMasterKey) =>
  rotateMasterKey({
    url: remit.url,
    ownsCluster: false,
    from,
    to,
    by: "ada",
    onError: (error) => {
      throw error;
    },
  });

/** A ledger, and a row in every table that the master key seals. */
async function openSealed(): Promise<TestLedger> {
  const remit = await openTestLedger();
  const { superuser, ledger, sequencer } = remit;
  await confirmMasterKey(remit.database, testMasterKey);
  await keysOf(remit, testMasterKey).announce();
  for (const name of ["kim", "łee@example.org"]) {
    await ledger.record(
      testEntry("action-intended", {
        payloads: [{ name: "arguments", subject: "run:1", about: [`customer:${name}`], value: { to: name } }],
      }),
    );
  }
  const held = testMasterKey.seal(Buffer.alloc(32, 5), heldKeyContext("ent_1", "arguments"));
  await superuser.query("INSERT INTO held_payload_key VALUES ('ent_1', 'arguments', $1)", [held]);
  await superuser.query("INSERT INTO secret VALUES ('crm/token', 1)");
  await superuser.query("INSERT INTO secret_version VALUES ('crm/token', 1, $1, now(), 'ada')", [
    sealSecret(testMasterKey, "crm/token 1", "hunter2"),
  ]);
  await superuser.query("INSERT INTO credential_grant (credential, upstream, person, state) VALUES ('crm', 'crm', 'ben', 'wanted')");
  await superuser.query(
    "INSERT INTO credential_grant (credential, upstream, person, state, version, sealed) VALUES ('crm', 'crm', 'ada', 'connected', 3, $1)",
    [sealSecret(testMasterKey, "grant crm crm ada 3", "token")],
  );
  await superuser.query("INSERT INTO credential_client VALUES ('crm', 'https://issuer', 'https://back', $1, now())", [
    sealSecret(testMasterKey, "client crm https://issuer", "{}"),
  ]);
  const state = Buffer.alloc(32, 6);
  await superuser.query("INSERT INTO credential_consent VALUES ($1, 'crm', 'crm', 'ada', 'ada', $2, now())", [
    state,
    sealSecret(testMasterKey, `consent ${state.toString("hex")}`, "{}"),
  ]);
  await superuser.query(
    "INSERT INTO webhook (id, url, description, state, created_by, created_at, place) VALUES ('whk_1', 'https://x', '', 'active', 'ada', now(), 0)",
  );
  await superuser.query("INSERT INTO webhook_secret VALUES ('whk_1', 2, $1, now(), 'ada')", [
    sealSecret(testMasterKey, "webhook whk_1 2", "whsec"),
  ]);
  await sequencer.flushed();
  return remit;
}

function keysOf(remit: TestLedger, masterKey: MasterKey) {
  return createLedgerKeys({
    database: remit.database,
    store: createLedgerKeyStore(remit.database),
    keys: createKeyStore({ database: remit.database, masterKey }),
    masterKey,
    ledger: remit.ledger,
    external: null,
    postQuantum: false,
    now: () => new Date(),
    newId,
  });
}

/** How many values of each table a key opens, of how many. */
async function opened(remit: TestLedger, key: MasterKey): Promise<Record<string, [number, number]>> {
  const counts: Record<string, [number, number]> = {};
  for (const { relation, column, context, isEnvelope } of sealedColumns) {
    const rows = await remit.superuser.query<SealedRow>(`SELECT * FROM ${relation} WHERE ${column} IS NOT NULL`);
    const open = rows.filter((row) => {
      const value = row[column] as Buffer;
      return key.open(isEnvelope ? value.subarray(0, 60) : value, context(row)) !== null;
    });
    counts[relation] = [open.length, rows.length];
  }
  return counts;
}

test("[CTL-06] after the master key was replaced the old one opens nothing, the new one opens everything, and the ledger is what it was", async () => {
  await using remit = await openSealed();
  const { superuser, database } = remit;
  await superuser.query(
    "INSERT INTO ledger_key_set (version, keys, entry_id, code) SELECT 99, keys, entry_id, sha256('forged') FROM ledger_key_set LIMIT 1",
  );
  const before = await opened(remit, testMasterKey);
  for (const [relation, [open, all]] of Object.entries(before)) expect([relation, open]).toEqual([relation, Math.max(all, 1)]);
  const files = (await superuser.query<{ file: string }>("SELECT pg_relation_filepath('secret_version') AS file"))[0]?.file;

  const rotated = await rotate(remit);
  expect(rotated).toMatchObject({ version: 2, rewritten: true });
  expect(rotated?.resealed).toBe(Object.values(before).reduce((sum, [open]) => sum + open, 0) + 2 + 1);
  for (const [relation, [open]] of Object.entries(await opened(remit, testMasterKey))) expect([relation, open]).toEqual([relation, 0]);
  expect(await opened(remit, nextKey)).toEqual(before);
  const [secret] = await superuser.query<{ sealed: Buffer }>("SELECT sealed FROM secret_version");
  expect(openSecret(nextKey, "crm/token 1", secret?.sealed ?? Buffer.alloc(0))).toBe("hunter2");
  // The tables have been written anew: what the old key opens is not in their files either.
  expect((await superuser.query<{ file: string }>("SELECT pg_relation_filepath('secret_version') AS file"))[0]?.file).not.toBe(files);
  expect(await superuser.query("SELECT relation FROM key_rewrite")).toEqual([]);

  // Payloads, people and the ledger's keys are found as before, and what was forged is forged.
  const payloadKeys = createPayloadKeys({ database, masterKey: nextKey });
  const subjects = createSubjectKeys({ store: privacyStore, masterKey: nextKey, keys: payloadKeys });
  expect((await subjects.find(database, "customer:kim")).subject).toBe("customer:kim");
  expect((await subjects.find(database, "customer:łee@example.org")).subject).toBe("customer:łee@example.org");
  const verdict = await verifyLedger({ rows: createLedgerRows(database), payloadKeys });
  expect(verdict).toMatchObject({ ok: true, payloads: { erased: 0 } });
  const keys = keysOf(remit, nextKey);
  expect((await keys.history()).forged).toHaveLength(1);
  await keys.announce();
  expect((await keys.signing()).signers).toHaveLength(1);

  // A server with the key of before neither starts nor goes on; the new one starts, and the ledger says what happened, once.
  await expect(confirmMasterKey(database, testMasterKey)).rejects.toMatchObject({ code: "database-mismatch" });
  await confirmMasterKey(database, nextKey);
  for (let time = 0; time < 2; time += 1) await recordRotations({ database, ledger: remit.ledger, now: () => new Date(), newId });
  const said = await database.query<{ body: Buffer }>("SELECT body FROM ledger_entry WHERE type = 'master-key-rotated'");
  expect(said.map(({ body }) => JSON.parse(body.toString())?.data)).toMatchObject([{ version: 2, by: "ada", resealed: rotated?.resealed }]);

  // Asked again, there is nothing to do; and nobody goes back to a key that was given up.
  expect(await rotate(remit)).toBeNull();
  await expect(rotate(remit, testMasterKey, nextKey)).rejects.toMatchObject({ code: "invalid-configuration" });
});

test("[CTL-06] while a server lives, or where something does not open, nothing is sealed anew", async () => {
  await using remit = await openSealed();
  const { superuser } = remit;
  const before = await opened(remit, testMasterKey);
  await superuser.query("INSERT INTO server_instance (id, name) VALUES ($1, 'alpha:7447')", [randomUUID()]);
  await expect(rotate(remit)).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("alpha:7447") });
  // One that was killed long ago does not count.
  await superuser.query("UPDATE server_instance SET heartbeat_at = clock_timestamp() - interval '11 s'");
  const stranger = createMasterKey(Buffer.alloc(32, 9));
  await expect(rotate(remit, nextKey, stranger)).rejects.toMatchObject({ code: "database-mismatch" });
  await superuser.query("UPDATE webhook_secret SET sealed = sha256('x') || sha256('y') || sha256('z')");
  await expect(rotate(remit)).rejects.toMatchObject({
    code: "database-mismatch",
    message: expect.stringContaining("webhook_secret (whk_1 2)"),
  });
  expect(await opened(remit, testMasterKey)).toEqual({ ...before, webhook_secret: [0, 1] });
  await superuser.query("DELETE FROM webhook_secret");
  await superuser.query(
    "UPDATE data_subject SET sealed = sha256('x') || sha256('y') WHERE lookup = (SELECT lookup FROM data_subject LIMIT 1)",
  );
  await expect(rotate(remit)).rejects.toMatchObject({
    code: "database-mismatch",
    message: expect.stringContaining("data subject person:"),
  });
});

test("every column of bytes is either sealed anew, derived anew, or not sealed with the master key", async () => {
  await using remit = await openTestLedger();
  const columns = await remit.superuser.query<{ name: string }>(
    `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
     WHERE table_schema = 'public' AND data_type = 'bytea' AND table_name !~ '^payload_key_' ORDER BY 1`,
  );
  const derived = ["data_subject.lookup", "ledger_key_set.code"];
  // Hashes, public keys, the tree, and what is sealed with the keys that are sealed.
  const others = [
    "agent_secret.secret_hash",
    "credential_consent.state_hash",
    "data_subject.sealed",
    "ledger_checkpoint.leaves",
    "ledger_checkpoint.root",
    "ledger_entry.body",
    "ledger_leaf.leaf_hash",
    "ledger_payload.ciphertext",
    "ledger_tile.hashes",
    "ledger_tile.root",
    "login_link.token_hash",
    "oauth_record.key",
    "restoration.root",
    "session.token_hash",
    "signing_key.public_key",
  ];
  const sealed = sealedColumns.map(({ relation, column }) => `${relation}.${column}`);
  expect(columns.map(({ name }) => name)).toEqual([...sealed, ...derived, ...others].sort());
});

test("[CTL-06] in a data folder there is a key at every moment, and a rotation that was cut short goes on with the key that it had", async () => {
  const folder = await mkdtemp(join(tmpdir(), "remit-rotation-"));
  try {
    const change = (environment = {}) => openKeyChange({ environment, dataDirectory: folder, now: () => new Date("2026-11-21T10:00:00Z") });
    await expect(change()).rejects.toMatchObject({ code: "invalid-configuration" });
    const old = await loadMasterKey({ environment: {}, dataDirectory: folder });
    const [first, again] = [await change(), await change()];
    const sealed = first.to.seal(Buffer.from("x"), "c");
    expect(again.to.open(sealed, "c")?.toString()).toBe("x");
    expect(old.open(first.from.seal(Buffer.from("y"), "c"), "c")?.toString()).toBe("y");
    const was = await readFile(join(folder, "master.key"), "utf8");
    const kept = await again.replace();
    expect(await readFile(kept ?? "", "utf8")).toBe(was);
    expect((await loadMasterKey({ environment: {}, dataDirectory: folder })).open(sealed, "c")?.toString()).toBe("x");
    expect((await readdir(folder)).sort()).toEqual(["master.key", "master.key.until-2026-11-21T10-00-00-000Z"]);
    const key = (fill: number) => Buffer.alloc(32, fill).toString("base64");
    await expect(change({ REMIT_MASTER_KEY: key(1) })).rejects.toThrow("REMIT_NEXT_MASTER_KEY");
    await expect(change({ REMIT_NEXT_MASTER_KEY: key(2) })).rejects.toThrow("data folder");
    expect(await (await change({ REMIT_MASTER_KEY: key(1), REMIT_NEXT_MASTER_KEY: key(2) })).replace()).toBeNull();
  } finally {
    await rm(folder, { recursive: true });
  }
});
