import {
  accessPageSchema,
  approvalTrailSchema,
  exceptionReportSchema,
  haltRecordSchema,
  permissionChangeSchema,
  tokenReportSchema,
} from "@remit/contract";
import type { Person } from "@remit/contract";
import { buildRegistry } from "@remit/core/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { hang, mailWaits, openTestActionPath } from "../action/action-path.testing.ts";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import { pageSchema } from "../http/page.ts";
import { createAuditStore } from "../ledger/audit.postgres.ts";
import { openTestLedger, testEntry, testId } from "../ledger/ledger.testing.ts";
import { createRegistryHistory } from "../registry/registry-history.postgres.ts";
import { validFiles, withText } from "../registry/registry-files.testing.ts";
import { openRegistry } from "../registry/registry.testing.ts";
import type { Database } from "../database/database.ts";
import type { Payloads } from "../ledger/payloads.ts";
import { createAuditReportsStore } from "./audit-reports.postgres.ts";
import { registerAuditReportRoutes } from "./audit-reports.routes.ts";
import { createAuditReports } from "./audit-reports.service.ts";

const person = (party: string, roles: Person["roles"]): Person => ({
  party,
  roles,
  sessionId: `ses_${"0".repeat(32)}` as Person["sessionId"],
  linkedBy: "service:machine",
});

async function openDesk({ database, ledger }: { database: Database; ledger: Payloads }) {
  const app = await createTestApp({
    doorkeeper: testDoorkeeper({ anna: person("anna", ["auditor"]), vera: person("vera", ["viewer"]) }),
  });
  const reports = createAuditReports({
    store: createAuditStore(database),
    reports: createAuditReportsStore(database),
    payloads: ledger,
    history: createRegistryHistory(database),
    registry: { current: () => buildRegistry() },
    secrets: { list: async () => [] },
    upstreams: { health: () => [] },
    now: () => new Date(),
  });
  registerAuditReportRoutes(app, { reports });
  return async <Schema extends z.ZodType = z.ZodUnknown>(url: string, schema?: Schema, session = "anna") => {
    const response = await app.inject({ url, headers: { host: "localhost", authorization: `Bearer ${session}` } });
    if (schema !== undefined) expect(response.statusCode, response.body).toBe(200);
    return { status: response.statusCode, body: (schema ?? z.unknown()).parse(response.json()) as z.infer<Schema> };
  };
}

test("[AUD-03][AUD-08] which records were accessed, under what policy, by which tool, and what followed", async () => {
  await using remit = await openTestActionPath({ policy: mailWaits });
  const caller = await remit.run();
  remit.upstream.answer = () => ({ content: [{ type: "text", text: '{"ticket":"T-1","customer":{"id":4711}}' }] });
  await remit.act("tickets.read", { id: "T-1" }, { caller });
  await remit.act("tickets.read", { id: "T-12" }, { caller });
  const waits = await remit.act("send_email", { to: "kim@example.org", subject: "About T-1", body: "Done" }, { caller });
  await remit.vote(waits);
  await remit.path.executeGranted();
  await remit.sequencer.flushed();
  const ask = await openDesk(remit);

  const { body: found } = await ask("/v1/audit/accesses?record=T-1&followed=true&order=oldest", accessPageSchema);
  expect(found.items.map(({ tool, found: where, outcome }) => ({ tool, where, outcome }))).toEqual([
    { tool: "helpdesk__tickets.read", where: ["/arguments/id", "/result/content/0/text/ticket"], outcome: "succeeded" },
    // The upstream of this test answers everything with the same ticket.
    { tool: "helpdesk__tickets.read", where: ["/result/content/0/text/ticket"], outcome: "succeeded" },
    { tool: "helpdesk__send_email", where: ["/arguments/subject", "/result/content/0/text/ticket"], outcome: "succeeded" },
  ]);
  expect(found.items[0]).toMatchObject({ agent: "support-agent", runId: caller.run.id, policies: ["grants.everything"], verdict: "allow" });
  expect(found.items[0]?.followed.map(({ tool }) => tool)).toEqual(["helpdesk__tickets.read", "helpdesk__send_email"]);
  expect((await ask("/v1/audit/accesses?record=4711", accessPageSchema)).body.items).toHaveLength(3);
  expect((await ask("/v1/audit/accesses?record=T-2", accessPageSchema)).body).toEqual({ items: [], next: null, examined: 3 });
  expect((await ask("/v1/audit/accesses?policy=no-such", accessPageSchema)).body.items).toEqual([]);
  expect((await ask("/v1/audit/accesses?attempts=true&tool=helpdesk__send_email", accessPageSchema)).body.items).toHaveLength(2);

  // Page by page, each once.
  const seen: number[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const { body }: { body: z.infer<typeof accessPageSchema> } = await ask(
      `/v1/audit/accesses?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`,
      accessPageSchema,
    );
    seen.push(...body.items.map(({ seq }) => seq));
    cursor = body.next;
  }
  expect(new Set(seen).size).toBe(3);
  expect(seen).toHaveLength(3);

  const { body: trails } = await ask("/v1/audit/approvals", pageSchema(approvalTrailSchema));
  expect(trails.items).toHaveLength(1);
  expect(trails.items[0]).toMatchObject({ state: "consumed", tool: "helpdesk__send_email", agent: "support-agent", waitedSeconds: 0 });
  expect(trails.items[0]?.votes[0]).toMatchObject({ vote: "approve" });
});

test("[AUD-09] what is out of the ordinary is reported with the entry that proves it, and the population that was looked at", async () => {
  await using test = await openTestLedger();
  const ask = await openDesk(test);
  const ordinary = testEntry("action-succeeded", { data: { tool: "helpdesk__search" } });
  const entries = [
    ordinary,
    testEntry("action-intended", { data: { tool: "helpdesk__search", shadow: [{ policy: "stricter", verdict: "deny" }] } }),
    testEntry("action-unknown", { data: { tool: "helpdesk__refund", reason: "the server was lost" } }),
    testEntry("link-issued", { actor: "service:machine", data: { party: "ada" } }),
    testEntry("link-issued", { actor: "party:ada", data: { party: "ben" } }),
    testEntry("approval-granted", { actor: "party:ada", data: { approvedBy: ["ada", "ben"], accountable: "ada" } }),
    testEntry("approval-granted", { actor: "party:ben", data: { approvedBy: ["ben"], accountable: "ada" } }),
    testEntry("upstream-started", {
      actor: "service:gateway",
      data: { upstream: "helpdesk", containment: { by: "nothing", because: "off" } },
    }),
    testEntry("upstream-started", { actor: "service:gateway", data: { upstream: "crm", containment: { by: "namespaces" } } }),
    testEntry("token-issued", { at: "2026-11-21T10:00:00.000Z", data: { expiresAt: "2026-11-21T11:00:00.000Z" } }),
    testEntry("token-issued", { at: "2026-11-21T10:00:00.000Z", data: { expiresAt: "2026-11-21T10:05:00.000Z" } }),
    testEntry("approval-delegated", { actor: "party:ben", data: { from: "ben", to: "cleo" } }),
    testEntry("tool-accepted", { actor: "party:ada", data: { tool: "helpdesk__refund" } }),
    testEntry("halt-engaged", { actor: "party:ada", data: { mode: "halt", reason: "a drill" } }),
    testEntry("fault-added", { actor: "party:ada", data: { kind: "latency", environment: "staging" } }),
    testEntry("server-lost", { actor: "service:remit", data: { instance: "srv_1" } }),
    testEntry("registry-applied", { actor: "service:machine", data: { revision: 1 } }),
    testEntry("secret-issued", { actor: "party:ada", data: { agent: "triage" } }),
    // Of no known shape: not an exception, and no reason to fail.
    testEntry("upstream-started", { actor: "service:gateway", data: { containment: 4 } }),
    testEntry("action-intended", { data: { shadow: "stricter" } }),
  ];
  for (const entry of entries) await test.ledger.record(entry);
  await test.sequencer.flushed();
  const { body } = await ask("/v1/audit/exceptions", exceptionReportSchema);
  expect(body.counts).toEqual({
    "shadow-differs": 1,
    "unknown-outcome": 1,
    "break-glass": 2,
    "approved-by-owner": 1,
    waiver: 1,
    "long-lived-token": 1,
    "delegated-approval": 1,
    "changed-tool-accepted": 1,
    halt: 1,
    "injected-fault": 1,
    "server-lost": 1,
  });
  expect(body.population).toMatchObject({ first: 0, last: entries.length - 1, count: entries.length });
  for (const { entryId } of body.items) expect(entries.map(({ id }) => id)).toContain(entryId);
  expect(body.items.map(({ entryId }) => entryId)).not.toContain(ordinary.id);
  expect((await ask("/v1/audit/exceptions?since=2030-01-01T00:00:00Z", exceptionReportSchema)).body).toMatchObject({
    population: { count: 0, first: null },
    items: [],
  });
});

test("[AUD-10] how long tokens lived and how secrets were rotated is counted from the ledger", async () => {
  await using test = await openTestLedger();
  const ask = await openDesk(test);
  const at = "2026-11-21T10:00:00.000Z";
  for (const entry of [
    testEntry("token-issued", { at, actor: "agent:triage", data: { expiresAt: "2026-11-21T10:05:00.000Z" } }),
    testEntry("token-issued", { at, actor: "agent:triage", data: { expiresAt: "2026-11-21T10:01:00.000Z" } }),
    testEntry("token-refused", { at, data: { code: "token-expired" } }),
    testEntry("secret-issued", { at, data: { agent: "triage", secret: "s1", expiresAt: "2027-02-19T10:00:00.000Z" } }),
    testEntry("secret-retired", { at: "2026-11-21T12:00:00.000Z", data: { agent: "triage", secret: "s1" } }),
    testEntry("secret-rotated", { at, actor: "party:ada", data: { path: "crm/key", version: 2 } }),
    testEntry("credential-leased", { at, data: { expiresAt: "2026-11-21T10:15:00.000Z" } }),
  ]) {
    await test.ledger.record(entry);
  }
  await test.sequencer.flushed();
  const { body } = await ask("/v1/audit/tokens", tokenReportSchema);
  expect(body).toMatchObject({
    population: { count: 7 },
    tokens: {
      issued: 2,
      refused: { "token-expired": 1 },
      byAgent: [{ agent: "triage", issued: 2, longestSeconds: 300 }],
      limitSeconds: 300,
      longestSeconds: 300,
    },
    secrets: [{ agent: "triage", secret: "s1", retiredAt: "2026-11-21T12:00:00.000Z" }],
    stored: [{ path: "crm/key", version: 2, event: "rotated", by: "party:ada" }],
    leases: { issued: 1, longestSeconds: 900 },
  });
});

test("[AUD-10][AUD-09] permissions over time say who changed what, and what people gave to agents that they answer for is an exception", async () => {
  await using test = await openTestLedger();
  const { registry } = await openRegistry(test);
  const ask = await openDesk(test);
  const raised = withText("agents/support-agent.yaml", "tier: 2", "tier: 3");
  await registry.apply({ files: { ...validFiles }, actor: "service:machine" });
  await registry.apply({ files: raised, actor: "party:ada" });
  await registry.apply({ files: { ...validFiles }, actor: "party:ada" });
  await registry.apply({ files: raised, actor: "party:ben" });
  await test.sequencer.flushed();

  const { body } = await ask("/v1/audit/permissions", z.object({ items: z.array(permissionChangeSchema) }));
  expect(body.items.map(({ revision, by, changes }) => [revision, by, changes[0]?.effect])).toEqual([
    [1, "service:machine", "widens"],
    [2, "party:ada", "widens"],
    [3, "party:ada", "narrows"],
    [4, "party:ben", "widens"],
  ]);
  expect(body.items[1]?.changes[0]?.summary).toContain("support-agent goes up from tier 2");
  // The newest only, compared with the one before it all the same.
  const newest = await ask("/v1/audit/permissions?limit=1", z.object({ items: z.array(permissionChangeSchema) }));
  expect(newest.body.items).toEqual(body.items.slice(-1));

  const { body: report } = await ask("/v1/audit/exceptions", exceptionReportSchema);
  // Ada answers for the agent, and raised it herself; that Ben did is the ordinary course.
  expect(report.items.filter(({ kind }) => kind === "self-raised-limit")).toMatchObject([{ actor: "party:ada" }]);
  expect(report.counts["break-glass"]).toBe(1);
});

test("[SAF-03] each halt is told from its command to its end: who, why, how long, and what it stopped", async () => {
  await using remit = await openTestActionPath();
  const ask = await openDesk(remit);
  remit.upstream.answer = hang;
  const flying = remit.act("tickets.read", { id: "1" });
  while (remit.upstream.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const halt = await remit.halts.engage(remit.person("ben"), {
    mode: "halt",
    scope: { type: "everything" },
    reason: "the drill of November",
  });
  await flying;
  await remit.act("tickets.read", { id: "2" });
  await remit.halts.release(halt.id, remit.person("ben"), "over");
  await remit.halts.release(halt.id, remit.person("ada"), "over");
  await remit.halts.engage(remit.person("ada"), {
    mode: "safe-mode",
    scope: { type: "agent", name: "support-agent" },
    reason: "odd answers",
  });
  await remit.sequencer.flushed();
  const { body } = await ask("/v1/audit/halts", pageSchema(haltRecordSchema));
  expect(body.items).toMatchObject([
    { mode: "safe-mode", scope: "agent support-agent", releasedAt: null, lastedSeconds: null },
    {
      haltId: halt.id,
      reason: "the drill of November",
      engagedBy: "party:ben",
      releaseRequestedBy: "party:ben",
      releasedBy: "party:ada",
      stopped: 1,
      denied: 1,
      began: 0,
    },
  ]);
  const { body: first } = await ask("/v1/audit/halts?limit=1", pageSchema(haltRecordSchema));
  const { body: second } = await ask(`/v1/audit/halts?limit=1&cursor=${first.next}`, pageSchema(haltRecordSchema));
  expect([...first.items, ...second.items]).toEqual(body.items);
});

test("text that is SQL is text wherever it arrives", async () => {
  await using test = await openTestLedger();
  await test.ledger.record(testEntry("run-started", { runId: testId("run") }));
  await test.sequencer.flushed();
  const ask = await openDesk(test);
  const sql = encodeURIComponent(`' OR 1=1; DROP TABLE ledger_entry; --`);
  for (const filter of ["record", "tool", "agent", "run", "policy"])
    expect((await ask(`/v1/audit/accesses?${filter}=${sql}`, accessPageSchema)).body.items).toEqual([]);
  expect((await ask(`/v1/audit/approvals?agent=${sql}`, pageSchema(approvalTrailSchema))).body.items).toEqual([]);
  for (const filter of ["since", "until", "limit", "cursor"]) expect((await ask(`/v1/audit/accesses?${filter}=${sql}`)).status).toBe(400);
  expect((await ask("/v1/audit/exceptions", exceptionReportSchema)).body.population.count).toBe(1);
});

test("reports are for auditors and operators, and a range that ends before it begins is no clean report", async () => {
  await using test = await openTestLedger();
  await test.ledger.record(testEntry("run-started", { runId: testId("run") }));
  const ask = await openDesk(test);
  for (const name of ["accesses", "approvals", "exceptions", "permissions", "tokens", "halts"]) {
    const url = `/v1/audit/${name}`;
    expect((await ask(url, undefined, "vera")).status, name).toBe(403);
    expect((await ask(url, undefined, "nobody")).status, name).toBe(401);
    expect((await ask(url)).status, name).toBe(200);
    const wrong = await ask(`${url}?since=2026-11-21T10:00:00Z&until=2026-11-21T09:00:00Z`);
    expect(wrong, name).toMatchObject({ status: 400, body: { code: "invalid-request" } });
    expect((await ask(`${url}?unknown=1`)).status, name).toBe(400);
  }
});
