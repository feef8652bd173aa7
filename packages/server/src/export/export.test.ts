import type { Person } from "@remit/contract";
import { bundleFiles } from "@remit/contract";
import { readTarHeader } from "@remit/core";
import { expect, test } from "vitest";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import { createAuditStore } from "../ledger/audit.postgres.ts";
import { fill, openTestLedger, startAudit, testEntry } from "../ledger/ledger.testing.ts";
import { startExports } from "./export.testing.ts";
import { registerExportRoutes } from "./export.routes.ts";

const person = (party: string, roles: Person["roles"]): Person => ({
  party,
  roles,
  sessionId: `ses_${"0".repeat(32)}` as Person["sessionId"],
  linkedBy: "service:machine",
});

async function openFace(test: Awaited<ReturnType<typeof openTestLedger>>) {
  const app = await createTestApp({
    doorkeeper: testDoorkeeper({
      anna: person("anna", ["auditor"]),
      ada: person("ada", ["admin"]),
      olga: person("olga", ["operator"]),
      vera: person("vera", ["viewer"]),
    }),
  });
  registerExportRoutes(app, { exports: startExports(test) });
  return async (method: "GET" | "POST", url: string, body?: object, session = "anna") => {
    const response = await app.inject({
      method,
      url,
      headers: {
        host: "localhost",
        authorization: `Bearer ${session}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    return { status: response.statusCode, type: response.headers["content-type"], bytes: response.rawPayload, text: response.body };
  };
}

function filesOf(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; ;) {
    const member = readTarHeader(archive.subarray(at, at + 512));
    if (member === "end") return files;
    if ("refused" in member) throw new Error(member.refused);
    files.set(member.name, archive.subarray(at + 512, at + 512 + member.size));
    at += 512 + Math.ceil(member.size / 512) * 512;
  }
}

const seqsOf = (bytes: Buffer): [number, number] => {
  const { population } = JSON.parse(String(filesOf(bytes).get(bundleFiles.manifest))) as { population: { first: number; last: number } };
  return [population.first, population.last];
};

test("[AUD-13] a range is exported by numbers and by times, by those who check, and that it was is in the ledger", async () => {
  await using test = await openTestLedger();
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 21, 10, minute)).toISOString();
  await fill(test, [5, 30, 25], (seq) => ({ at: at(seq), type: "action-denied" }));
  const ask = await openFace(test);
  expect(seqsOf((await ask("GET", "/v1/audit/export?from=3&to=40")).bytes)).toEqual([3, 40]);
  expect(seqsOf((await ask("POST", "/v1/audit/export", { from: at(10), to: at(20) })).bytes)).toEqual([10, 19]);
  expect(seqsOf((await ask("POST", "/v1/audit/export", { from: at(50), payloads: "none" }, "ada")).bytes)[0]).toBe(50);
  const refused: [object, number, RegExp][] = [
    [{ from: "70" }, 404, /no signed entry/],
    [{ from: "10", to: "5" }, 404, /no signed entry/],
    [{ to: "1000" }, 409, /has signed 6\d entries/],
    [{ from: at(59), to: at(59) }, 404, /no signed entry/],
    [{ from: "-1" }, 400, /sequence number/],
    [{ from: "yesterday" }, 400, /sequence number/],
    [{ from: "2026-13-45T00:00:00Z" }, 400, /neither/],
    [{ payloads: "all" }, 400, /payloads/],
    [{ since: "nonsense" }, 400, /not a signed checkpoint/],
    [{ more: true }, 400, /more/],
  ];
  for (const [body, status, says] of refused) {
    const answer = await ask("POST", "/v1/audit/export", body);
    expect([answer.status, answer.text], JSON.stringify(body)).toEqual([status, expect.stringMatching(says)]);
  }
  for (const session of ["olga", "vera"]) expect((await ask("GET", "/v1/audit/export", undefined, session)).status).toBe(403);
  expect((await ask("GET", "/v1/audit/export", undefined, "nobody")).status).toBe(401);
  await test.sequencer.flushed();
  const recorded = await createAuditStore(test.database).find(
    {
      run: null,
      action: null,
      approval: null,
      trace: null,
      agent: null,
      actor: null,
      types: ["audit-exported"],
      tool: null,
      since: null,
      until: null,
    },
    { order: "oldest", after: null, limit: 10 },
  );
  expect(recorded.map(({ event }) => [event.actor, event.data["first"], event.data["last"], event.data["payloadForm"]])).toEqual([
    ["party:anna", 3, 40, "sealed"],
    ["party:anna", 10, 19, "sealed"],
    ["party:ada", 50, expect.any(Number), "none"],
  ]);
});

test("an empty ledger has nothing to export", async () => {
  await using test = await openTestLedger();
  const ask = await openFace(test);
  expect(await ask("GET", "/v1/audit/export")).toMatchObject({ status: 404 });
});

test("[AUD-14] an export proves that a checkpoint that was kept is continued, and refuses one from the future", async () => {
  await using test = await openTestLedger();
  await fill(test, [7, 20]);
  const kept = await startAudit(test).checkpoint();
  await fill(test, [33]);
  const later = await startAudit(test).checkpoint();
  const ask = await openFace(test);
  const { bytes } = await ask("POST", "/v1/audit/export", { since: kept?.note });
  const { since } = JSON.parse(String(filesOf(bytes).get(bundleFiles.manifest))) as {
    since: { checkpoint: string; consistency: string[] };
  };
  expect(since.checkpoint).toBe(kept?.note);
  expect(since.consistency.length).toBeGreaterThan(0);
  await test.sequencer.stop();
  await test.superuser.query("DELETE FROM ledger_checkpoint WHERE size > 27");
  await test.superuser.query("DELETE FROM ledger_leaf WHERE seq >= 27");
  const rolledBack = await ask("POST", "/v1/audit/export", { since: later?.note });
  expect(rolledBack).toMatchObject({ status: 409, text: expect.stringMatching(/rolled back/) as string });
});

test("[AUD-13] the table for people runs nothing in a spreadsheet, and breaks no line", async () => {
  await using test = await openTestLedger();
  const reasons = ["=1+2", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "a\r\n=cmd|' /C calc'!A0", 'say "x", or', "|x", "＝1", "plain"];
  await fill(test, [reasons.length], (seq) => ({ data: { reason: reasons[seq] ?? "" } }));
  const ask = await openFace(test);
  const table = String(filesOf((await ask("GET", "/v1/audit/export")).bytes).get("table-000001.csv"));
  const lines = table.split("\r\n").slice(1, -1);
  expect(lines).toHaveLength(reasons.length);
  const cells = lines.map((line) => /^(?:[^,]*,){12}("(?:[^"]|"")*"|[^,]*),/.exec(line)?.[1]);
  expect(cells).toEqual([
    `"'=1+2"`,
    `"'+1"`,
    `"'-1"`,
    `"'@SUM(A1)"`,
    `"' =1"`,
    `"' =1"`,
    `"a =cmd|' /C calc'!A0"`,
    `"say ""x"", or"`,
    `"'|x"`,
    `"'＝1"`,
    "plain",
  ]);
  for (const cell of lines.flatMap((line) => line.split(","))) expect(cell).not.toMatch(/^"?[=+\-@|]/);
});

test("an entry that cannot be recorded keeps the bundle in: nobody takes it along unseen", async () => {
  await using test = await openTestLedger();
  await fill(test, [3], () => testEntry());
  const exports = startExports({
    ...test,
    ledger: { ...test.ledger, record: () => Promise.reject(new Error("the ledger is down")) },
  });
  await expect(exports.open({ payloads: "none" }, "party:anna")).rejects.toThrow("the ledger is down");
});
