import { gunzipSync } from "node:zlib";
import type { Person } from "@remit/contract";
import { consistencyProofSchema } from "@remit/contract";
import {
  decodeEntryBundle,
  fromBase64,
  holdsTlogProof,
  merkleTree,
  openNote,
  parseCheckpoint,
  parseTlogProof,
  splitHashes,
  tilePath,
  tileWidth,
  verifyConsistency,
} from "@remit/core";
import { expect, test } from "vitest";
import type { TestDatabase } from "../database/testing.ts";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import { createAuditStore } from "../ledger/audit.postgres.ts";
import { defaultOrigin, ledgerVerifier, sha256Tree } from "../ledger/ledger-key.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import { fill, openTestLedger, testEntry, testId } from "../ledger/ledger.testing.ts";
import { createTreeStore } from "../ledger/tree-store.postgres.ts";
import { createEntryBodies } from "./tlog.postgres.ts";
import { registerTlogRoutes } from "./tlog.routes.ts";
import { createTlog } from "./tlog.service.ts";

const person = (party: string, roles: Person["roles"]): Person => ({
  party,
  roles,
  sessionId: `ses_${"0".repeat(32)}` as Person["sessionId"],
  linkedBy: "service:machine",
});

/** What a stranger with an HTTP client sees; with a session, what an auditor does. */
async function openLog(test: TestDatabase & LedgerParts) {
  const { database } = test;
  const app = await createTestApp({
    doorkeeper: testDoorkeeper({ anna: person("anna", ["auditor"]), vera: person("vera", ["viewer"]) }),
  });
  const tlog = createTlog({
    tree: createTreeStore(database),
    entries: createEntryBodies(database),
    store: createAuditStore(database),
    notes: { whole: async ({ note }) => note, witnessed: async () => null },
  });
  registerTlogRoutes(app, { tlog });
  const { publicKey } = await test.keys.signingKey("ledger", "Ed25519");
  return {
    verifier: ledgerVerifier(publicKey, defaultOrigin),
    get: (url: string, session: string | null = null, more: Record<string, string> = {}) =>
      app.inject({ url, headers: { host: "localhost", ...more, ...(session === null ? {} : { authorization: `Bearer ${session}` }) } }),
  };
}

test("[AUD-14] whoever reads only tiles and the checkpoint recomputes the whole ledger", async () => {
  await using test = await openTestLedger();
  const sizes = [3, 253, 1, 300, 43];
  await fill(test, sizes);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const log = await openLog(test);

  const checkpoint = await log.get("/checkpoint");
  expect(checkpoint.headers).toMatchObject({ "content-type": "text/plain; charset=utf-8", "access-control-allow-origin": "*" });
  expect(checkpoint.headers["cache-control"]).toBe("public, max-age=1");
  const signed = parseCheckpoint(openNote(checkpoint.body, [log.verifier]) ?? "");
  expect(signed).toMatchObject({ origin: defaultOrigin, size: total });

  const tree = merkleTree(sha256Tree);
  const rootsOfTiles: Uint8Array[] = [];
  for (let index = 0; index * tileWidth < total; index += 1) {
    const width = Math.min(tileWidth, total - index * tileWidth);
    const tile = await log.get(`/${tilePath({ level: 0, index }, width)}`);
    expect(tile.headers["content-type"]).toBe("application/octet-stream");
    expect(tile.headers["cache-control"]).toBe(`public, max-age=${width === tileWidth ? 31_536_000 : 86_400}, immutable`);
    const bundle = await log.get(`/${tilePath({ level: "entries", index }, width)}`, "anna", { "accept-encoding": "br, gzip" });
    expect(bundle.headers).toMatchObject({ "content-encoding": "gzip", "cache-control": expect.stringContaining("private") as string });
    const entries = decodeEntryBundle(gunzipSync(bundle.rawPayload)) ?? [];
    const leaves = entries.map((entry) => sha256Tree.leaf(entry));
    expect(leaves.map((leaf) => Buffer.from(leaf))).toEqual(splitHashes(tile.rawPayload).map((hash) => Buffer.from(hash)));
    for (const leaf of leaves) tree.append(leaf);
    if (width === tileWidth) {
      const subtree = merkleTree(sha256Tree);
      for (const leaf of leaves) subtree.append(leaf);
      rootsOfTiles.push(subtree.root());
    }
  }
  expect(Buffer.from(tree.root())).toEqual(Buffer.from(signed?.root ?? []));
  const above = await log.get(`/${tilePath({ level: 1, index: 0 }, rootsOfTiles.length)}`);
  expect(splitHashes(above.rawPayload).map((hash) => Buffer.from(hash))).toEqual(rootsOfTiles.map((hash) => Buffer.from(hash)));

  // Each size that was signed has its partial tiles, also those that are full by now.
  let size = 0;
  for (const batch of sizes) {
    size += batch;
    const width = size % tileWidth;
    if (width === 0) continue;
    const partial = await log.get(`/${tilePath({ level: 0, index: Math.floor(size / tileWidth) }, width)}`);
    expect([partial.statusCode, partial.rawPayload.length]).toEqual([200, 32 * width]);
  }
});

test("[AUD-14] tiles beyond the ledger, and paths that are none, are not there; entries are for auditors", async () => {
  await using test = await openTestLedger();
  const log = await openLog(test);
  expect((await log.get("/checkpoint")).statusCode).toBe(404);
  await fill(test, [260]);
  const missing = [
    "/tile/0/001",
    "/tile/0/001.p/5",
    "/tile/1/000.p/2",
    "/tile/2/000.p/1",
    "/tile/0/000.p/256",
    "/tile/0/0",
    "/tile/0/x000/000",
    "/tile/64/000",
    "/tile/0/000/",
    "/tile/0/..%2f000",
    "/tile/",
    "/tile/0/x999/x999/x999/x999/999",
  ];
  for (const path of missing) expect([path, (await log.get(path, "anna")).statusCode]).toEqual([path, 404]);
  for (const path of ["/tile/0/000", "/tile/0/001.p/4", "/tile/1/000.p/1"]) {
    expect([path, (await log.get(path)).statusCode]).toEqual([path, 200]);
  }
  expect((await log.get("/tile/entries/000")).statusCode).toBe(401);
  expect((await log.get("/tile/entries/000", "vera")).statusCode).toBe(403);
  expect((await log.get("/tile/entries/000", "anna")).statusCode).toBe(200);
  expect((await log.get("/tile/entries/001", "anna")).statusCode).toBe(404);
});

test("[AUD-14] a proof file proves its entry offline, and nothing else", async () => {
  await using test = await openTestLedger();
  const [first, ...others] = await fill(test, [1, 300]);
  const log = await openLog(test);
  for (const entry of [first, others.at(0), others.at(-1)]) {
    const response = await log.get(`/v1/audit/proof/${entry?.id}`, "anna");
    expect(response.headers).toMatchObject({
      "content-type": "text/plain; charset=utf-8",
      "content-disposition": `attachment; filename="${entry?.id}.tlog-proof"`,
    });
    const proof = parseTlogProof(response.body);
    if (proof?.extra === undefined || proof.extra === null) throw new Error("no proof");
    expect(JSON.parse(Buffer.from(proof.extra).toString())).toMatchObject({ id: entry?.id });
    expect(openNote(proof.checkpoint, [log.verifier])).not.toBeNull();
    expect(holdsTlogProof(sha256Tree, proof, proof.extra)).toBe(true);
    expect(holdsTlogProof(sha256Tree, proof, Buffer.from(`${Buffer.from(proof.extra).toString()} `))).toBe(false);
  }
  const without = parseTlogProof((await log.get(`/v1/audit/proof/${first?.id}?body=false`, "anna")).body);
  expect(without).toMatchObject({ extra: null, index: 0 });
  expect((await log.get(`/v1/audit/proof/${first?.id}`)).statusCode).toBe(401);
  expect((await log.get(`/v1/audit/proof/${testId("entry")}`, "anna")).statusCode).toBe(404);
});

test("[AUD-14] a rewritten entry or node gives no proof at all", async () => {
  await using test = await openTestLedger();
  const entries = await fill(test, [4, 4]);
  const log = await openLog(test);
  await test.superuser.query("UPDATE ledger_leaf SET leaf_hash = sha256('x') WHERE seq = 2");
  expect((await log.get(`/v1/audit/proof/${entries[3]?.id}`, "anna")).json()).toMatchObject({ code: "ledger-unavailable" });
  expect((await log.get("/v1/audit/consistency?from=4&to=8", "anna")).json()).toMatchObject({ code: "ledger-unavailable" });
});

test("[AUD-14] that one size continues another is proved between any two", async () => {
  await using test = await openTestLedger();
  await fill(test, [1, 6, 300]);
  const log = await openLog(test);
  for (const [from, to] of [
    [0, 307],
    [1, 7],
    [7, 307],
    [5, 6],
    [256, 307],
    [7, 7],
  ] as const) {
    const response = await log.get(`/v1/audit/consistency?from=${from}&to=${to}`, "anna");
    const proof = consistencyProofSchema.parse(response.json());
    const hash = (text: string) => fromBase64(text) ?? new Uint8Array(0);
    const claim = { oldSize: from, oldRoot: hash(proof.fromRoot), size: to, root: hash(proof.toRoot) };
    expect(verifyConsistency(sha256Tree, claim, proof.proof.map(hash))).toBe(true);
    expect(proof.toCheckpoint === null).toBe(![1, 7, 307].includes(to));
  }
  const newest = consistencyProofSchema.parse((await log.get("/v1/audit/consistency?from=7", "anna")).json());
  expect(newest.to).toBe(307);
  for (const query of ["from=8&to=7", "from=0&to=308", "from=-1", "from=1.5", "from=x", ""]) {
    expect([query, (await log.get(`/v1/audit/consistency?${query}`, "anna")).statusCode]).toEqual([query, 400]);
  }
  expect((await log.get("/v1/audit/consistency?from=0")).statusCode).toBe(401);
});

test("an entry that waits for its place has no proof yet", async () => {
  await using test = await openTestLedger();
  await fill(test, [1]);
  const log = await openLog(test);
  await test.sequencer.stop();
  const entry = testEntry();
  await test.ledger.record(entry);
  expect((await log.get(`/v1/audit/proof/${entry.id}`, "anna")).json()).toMatchObject({ code: "conflict" });
});
