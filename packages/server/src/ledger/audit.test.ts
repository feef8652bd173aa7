import { expect, test } from "vitest";
import { z } from "zod";
import { receiptSchema, recordedEventSchema, storySchema } from "@remit/contract";
import type { NewEntry, Person } from "@remit/contract";
import { openNote, parseCheckpoint, verifyInclusion } from "@remit/core";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import { pageSchema } from "../http/page.ts";
import { registerAuditRoutes } from "./audit.routes.ts";
import { defaultOrigin, ledgerVerifier, sha256Tree } from "./ledger-key.ts";
import { fill, openTestLedger, startAudit, testEntry, testId } from "./ledger.testing.ts";
import type { LedgerParts } from "./ledger.testing.ts";
import type { TestDatabase } from "../database/testing.ts";

const person = (party: string, roles: Person["roles"]): Person => ({
  party,
  roles,
  sessionId: `ses_${"0".repeat(32)}` as Person["sessionId"],
  linkedBy: "service:machine",
});

async function openFace(test: TestDatabase & LedgerParts) {
  const app = await createTestApp({
    doorkeeper: testDoorkeeper({ anna: person("anna", ["auditor"]), olga: person("olga", ["operator"]), vera: person("vera", ["viewer"]) }),
  });
  registerAuditRoutes(app, { audit: startAudit(test) });
  return async <Schema extends z.ZodType = z.ZodUnknown>(url: string, schema?: Schema, session = "anna") => {
    const response = await app.inject({ url, headers: { host: "localhost", authorization: `Bearer ${session}` } });
    return { status: response.statusCode, body: (schema ?? z.unknown()).parse(response.json()) as z.infer<Schema> };
  };
}

const entriesPage = pageSchema(recordedEventSchema);

const run = testId("run");
const [search, email, refund] = [testId("action"), testId("action"), testId("action")];
const approval = testId("approval");
const trace = "4bf92f3577b34da6a3ce929d0e0e4736";

const about = {
  environment: "staging",
  agent: "triage",
  version: "a".repeat(64),
  accountable: "maria",
  policy: "support",
  policyDigest: "b".repeat(64),
};

function at(second: number): string {
  return new Date(Date.UTC(2026, 0, 5, 9, 0, second)).toISOString();
}

const payload = (name: string, value: Record<string, string>) => ({ name, subject: `run:${run}`, value });

/** A triage that searched, sent a mail that maria approved, and was refused a refund. */
const triage: NewEntry[] = [
  testEntry("run-started", { at: at(0), runId: run, data: { workflow: "triage" } }),
  testEntry("action-intended", {
    at: at(1),
    runId: run,
    actionId: search,
    traceId: trace,
    data: { ...about, tool: "helpdesk__search", effect: "read", digest: "c".repeat(64), policies: ["reads"], obligations: [] },
    payloads: [payload("arguments", { query: "invoice" })],
  }),
  testEntry("action-succeeded", {
    at: at(2),
    runId: run,
    actionId: search,
    traceId: trace,
    data: { tool: "helpdesk__search", durationMs: 12 },
    payloads: [payload("result", { found: "T-17" })],
  }),
  testEntry("action-waiting", {
    at: at(3),
    runId: run,
    actionId: email,
    data: {
      ...about,
      tool: "helpdesk__send_email",
      effect: "write",
      digest: "d".repeat(64),
      policies: ["mail-gate"],
      approvals: [{ team: "leads", gates: ["mail-gate"] }],
    },
    payloads: [payload("arguments", { to: "kim@example.org" })],
  }),
  testEntry("approval-requested", {
    at: at(3),
    runId: run,
    actionId: email,
    approvalId: approval,
    data: { digest: "d".repeat(64), reason: "Mails to customers are read first", requirements: [{ team: "leads", quorum: 1 }] },
  }),
  testEntry("action-denied", {
    at: at(4),
    runId: run,
    actionId: refund,
    data: {
      ...about,
      tool: "helpdesk__refund",
      effect: "write",
      policies: ["no-refunds"],
      code: "policy-stop",
      reason: "Refunds are for people",
    },
    payloads: [payload("arguments", { amount: "900.00" })],
  }),
  // Neither names the run: what people do about an action names the action.
  testEntry("approval-voted", {
    at: at(9),
    actor: "party:maria",
    actionId: email,
    approvalId: approval,
    data: { vote: "approve", digest: "d".repeat(64) },
    payloads: [{ name: "comment", subject: "party:maria", value: { text: "reads well" } }],
  }),
  testEntry("approval-granted", {
    at: at(9),
    actor: "party:maria",
    actionId: email,
    approvalId: approval,
    data: { approvedBy: ["maria"] },
  }),
  testEntry("approval-consumed", { at: at(10), actor: "service:approvals", actionId: email, approvalId: approval, data: {} }),
  testEntry("action-intended", {
    at: at(10),
    runId: run,
    actionId: email,
    data: {
      ...about,
      tool: "helpdesk__send_email",
      policies: ["mail"],
      facts: { hour: 10, actionsToday: 3 },
      obligations: [{ type: "notify" }],
    },
  }),
  testEntry("action-failed", {
    at: at(11),
    runId: run,
    actionId: email,
    data: { code: "upstream-timeout", reason: "no answer in 10 s", durationMs: 10_000 },
  }),
];

async function openTriage() {
  const test = await openTestLedger();
  await test.database.transaction((transaction) => test.ledger.append(transaction, [testEntry(), ...triage, testEntry()]));
  await test.sequencer.flushed();
  return test;
}

test("[AUD-01][AUD-02][AUD-04] a run is reconstructed from the ledger alone: what was asked, decided, approved, given back", async () => {
  await using test = await openTriage();
  const get = await openFace(test);
  const { status, body } = await get(`/v1/audit/show/${run}`, storySchema);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    id: run,
    runs: [run],
    agents: ["triage"],
    traceIds: [trace],
    startedAt: at(0),
    endedAt: at(11),
    truncated: false,
  });
  expect(body.entries).toEqual({ sequenced: 11, pending: 0 });
  expect(body.others.map(({ event }) => event.type)).toEqual(["remit.run-started"]);
  expect(body.actions.map(({ tool, state }) => [tool, state])).toEqual([
    ["helpdesk__search", "succeeded"],
    ["helpdesk__send_email", "failed"],
    ["helpdesk__refund", "denied"],
  ]);
  expect(body.actions[0]).toMatchObject({
    arguments: { state: "open", value: { query: "invoice" } },
    result: { state: "open", value: { found: "T-17" } },
    traceId: trace,
    outcome: { type: "succeeded", durationMs: 12, seq: 3 },
  });
});

test("[AUD-07][AUD-03][AUD-06][AUD-08][AUD-12] an approved action tells both decisions, who said yes, and under which policy", async () => {
  await using test = await openTriage();
  const get = await openFace(test);
  for (const id of [email, approval]) {
    const { actions } = (await get(`/v1/audit/show/${id}`, storySchema)).body;
    expect(actions).toHaveLength(1);
    const [action] = actions;
    expect(action).toMatchObject({
      id: email,
      accountable: "maria",
      policy: "support",
      version: "a".repeat(64),
      startedAt: at(3),
      endedAt: at(11),
      arguments: { value: { to: "kim@example.org" } },
      result: null,
      outcome: { code: "upstream-timeout", reason: "no answer in 10 s" },
    });
    expect(action?.decisions).toMatchObject([
      {
        verdict: "require-approval",
        policies: ["mail-gate"],
        policyDigest: "b".repeat(64),
        approvals: [{ team: "leads", gates: ["mail-gate"] }],
        facts: null,
      },
      { verdict: "allow", policies: ["mail"], facts: { hour: 10, actionsToday: 3 }, obligations: [{ type: "notify" }] },
    ]);
    expect(action?.approvals).toMatchObject([
      {
        id: approval,
        state: "consumed",
        digest: "d".repeat(64),
        reason: "Mails to customers are read first",
        votes: [{ by: "party:maria", vote: "approve", at: at(9), comment: { state: "open", value: { text: "reads well" } } }],
      },
    ]);
  }
});

test("[AUD-02] what was erased is shown as erased, what was changed as damaged, and the rest is still told", async () => {
  await using test = await openTriage();
  const get = await openFace(test);
  await test.superuser.query("DELETE FROM payload_key WHERE subject = 'party:maria'");
  await test.superuser.query(
    `UPDATE ledger_payload SET ciphertext = set_byte(ciphertext, 50, get_byte(ciphertext, 50) # 1) WHERE name = 'result'`,
  );
  const { body } = await get(`/v1/audit/show/${run}`, storySchema);
  expect(body.actions[0]).toMatchObject({ arguments: { state: "open" }, result: { state: "damaged", value: null } });
  expect(body.actions[1]?.approvals[0]?.votes[0]).toMatchObject({ vote: "approve", comment: { state: "erased", value: null } });
});

test("[AUD-14] what is not sequenced yet is shown, and said to be so", async () => {
  await using test = await openTriage();
  await test.sequencer.stop();
  await test.ledger.record(testEntry("run-ended", { at: at(12), runId: run, data: { outcome: "completed" } }));
  const get = await openFace(test);
  const { body } = await get(`/v1/audit/show/${run}`, storySchema);
  expect(body.entries).toEqual({ sequenced: 11, pending: 1 });
  expect(body.others.at(-1)).toMatchObject({ seq: null, event: { type: "remit.run-ended" } });
});

const filters: [string, number][] = [
  ["", 13],
  [`run=${run}`, 8],
  [`action=${email}`, 7],
  [`approval=${approval}`, 4],
  [`trace=${trace}`, 2],
  ["agent=triage", 10],
  ["actor=party:maria", 2],
  ["type=action-denied", 3],
  ["tool=helpdesk__send_email", 2],
  [`tool=helpdesk__send_email&type=action-waiting`, 1],
  [`since=${at(9)}&until=${at(11)}`, 4],
  ["agent=nobody", 0],
];

test.each(filters)("[AUD-03] entries are found by %s", async (query, count) => {
  await using test = await openTriage();
  const get = await openFace(test);
  const { status, body } = await get(`/v1/audit/entries?${query}`, entriesPage);
  expect(status).toBe(200);
  expect(body.items).toHaveLength(count);
});

test("[CTL-41] entries are paged through in either order, each once, as CloudEvents", async () => {
  await using test = await openTestLedger();
  await fill(test, [40, 1, 30]);
  const get = await openFace(test);
  for (const order of ["newest", "oldest"]) {
    const seen: (number | null)[] = [];
    let cursor = "";
    do {
      const { body } = await get(`/v1/audit/entries?order=${order}&limit=7${cursor}`, entriesPage);
      seen.push(...body.items.map(({ seq }) => seq));
      expect(body.items[0]?.event).toMatchObject({ specversion: "1.0", source: defaultOrigin, datacontenttype: "application/json" });
      cursor = body.next === null ? "" : `&cursor=${body.next}`;
    } while (cursor !== "");
    const all = Array.from({ length: 71 }, (_, seq) => seq);
    expect(seen).toEqual(order === "newest" ? all.reverse() : all);
  }
  expect((await get("/v1/audit/entries?cursor=nonsense")).status).toBe(400);
  expect((await get("/v1/audit/entries?type=nonsense")).status).toBe(400);
});

test("[AUD-14] a receipt proves its entry to somebody who has the public key and nothing else", async () => {
  await using test = await openTestLedger();
  const entries = await fill(test, [1, 254, 3, 290, 17]);
  const get = await openFace(test);
  const { publicKey } = await test.keys.signingKey("ledger", "Ed25519");
  const verifier = ledgerVerifier(publicKey, defaultOrigin);
  for (const seq of [0, 1, 254, 255, 256, 300, 511, 512, 547, 564]) {
    const { status, body } = await get(`/v1/audit/entries/${entries[seq]?.id}/proof`, receiptSchema);
    expect(status).toBe(200);
    const signed = parseCheckpoint(openNote(body.checkpoint, [verifier]) ?? "");
    if (signed === null) throw new Error("the checkpoint is not signed");
    const proof = body.proof.map((hash) => Buffer.from(hash, "base64"));
    const claim = { index: body.seq, size: signed.size, leaf: sha256Tree.leaf(Buffer.from(body.body)), root: signed.root };
    expect(body.seq).toBe(seq);
    expect(verifyInclusion(sha256Tree, claim, proof)).toBe(true);
    expect(verifyInclusion(sha256Tree, { ...claim, leaf: sha256Tree.leaf(Buffer.from(`${body.body} `)) }, proof)).toBe(false);
  }
  await test.superuser.query("UPDATE ledger_entry SET body = body || ' ' WHERE id = $1", [entries[20]?.id]);
  expect((await get(`/v1/audit/entries/${entries[20]?.id}/proof`)).status).toBe(503);
  expect((await get(`/v1/audit/entries/${testId("entry")}/proof`)).status).toBe(404);
});

test("[AUD-14] verify and checkpoint answer over HTTP, to those who may look", async () => {
  await using test = await openTestLedger();
  const get = await openFace(test);
  expect((await get("/v1/audit/checkpoint")).status).toBe(404);
  const [entry] = await fill(test, [5]);
  expect((await get("/v1/audit/checkpoint")).body).toMatchObject({ size: 5 });
  expect((await get("/v1/audit/verify")).body).toMatchObject({ ok: true, size: 5, anchoring: "UNANCHORED" });
  for (const path of ["entries", "verify", "checkpoint", `show/${entry?.id}`, `entries/${entry?.id}/proof`]) {
    expect((await get(`/v1/audit/${path}`, undefined, "olga")).status).toBe(200);
    expect((await get(`/v1/audit/${path}`, undefined, "vera")).status).toBe(403);
    expect((await get(`/v1/audit/${path}`, undefined, "nobody")).status).toBe(401);
  }
  expect((await get(`/v1/audit/show/${testId("run")}`)).status).toBe(404);
});
