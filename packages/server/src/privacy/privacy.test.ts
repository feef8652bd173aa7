import { expect, test } from "vitest";
import { mailWaits } from "../action/action-path.testing.ts";
import { createLedgerRows } from "../ledger/ledger-rows.postgres.ts";
import { verifyLedger } from "../ledger/verify-ledger.ts";
import { openTestPrivacy } from "./privacy.testing.ts";
import type { TestPrivacy } from "./privacy.testing.ts";

const ada = (remit: TestPrivacy) => remit.person("ada");
const ask = { reason: "asked for it by letter", includeShared: false, after: null, limit: 100 };

async function argumentsOf(remit: TestPrivacy): Promise<unknown[]> {
  const rows = await remit.database.query<{ entry_id: string }>(
    "SELECT entry_id FROM ledger_payload WHERE name = 'arguments' ORDER BY entry_id",
  );
  const opened: unknown[] = [];
  for (const { entry_id: id } of rows)
    opened.push(await remit.deps.payloads.open(id as Parameters<typeof remit.deps.payloads.open>[0], "arguments"));
  return opened;
}

async function verify(remit: TestPrivacy) {
  await remit.sequencer.flushed();
  return verifyLedger({ rows: createLedgerRows(remit.database), payloadKeys: remit.payloadKeys });
}

test("[DAT-14][DAT-17] who an action is about stands nowhere in clear, and is found by whoever looks after it", async () => {
  await using remit = await openTestPrivacy();
  await remit.mail("Kim@Example.org ", "hello");
  await remit.mail("lee@example.org", "hello too");
  for (const table of ["ledger_entry", "ledger_payload", "payload_key", "data_subject", "action"]) {
    const [row] = await remit.superuser.query<{ text: string }>(`SELECT string_agg(t::text, ' ') AS text FROM ${table} t`);
    expect(row?.text.toLowerCase()).not.toMatch(/kim|lee@/);
  }
  const { items } = await remit.privacy.list({ after: null, limit: 50 });
  expect(items.map(({ subject }) => subject).sort()).toEqual(["customer:kim@example.org", "customer:lee@example.org"]);
});

test("[DAT-14] everything that is held about somebody is shown, and that it was shown is recorded", async () => {
  await using remit = await openTestPrivacy({ policy: mailWaits });
  const asked = await remit.act("send_email", { to: "kim@example.org", body: "a refund" });
  await remit.vote(asked);
  expect(await remit.path.executeGranted()).toBe(1);
  const shown = await remit.privacy.exportPage(ada(remit), { ...ask, subject: "customer:KIM@example.org" });
  expect(shown.subject).toBe("customer:kim@example.org");
  expect(shown.next).toBeNull();
  expect(shown.actions).toMatchObject([
    {
      tool: "helpdesk__send_email",
      state: "succeeded",
      arguments: { state: "open", value: { to: "kim@example.org", body: "a refund" } },
      result: { state: "open" },
      approvals: [{ state: "consumed", votes: [{ by: "party:ben", vote: "approve" }] }],
    },
  ]);
  expect(shown.entries.map(({ event }) => event.type)).toContain("remit.approval-voted");
  const { items } = await remit.requests.list({ before: null, limit: 10 });
  expect(items).toMatchObject([{ type: "subject-exported", actor: "party:ada", key: shown.key, reason: ask.reason }]);
  expect(JSON.stringify(await remit.entries())).not.toContain(ask.reason);
  await expect(remit.privacy.exportPage(ada(remit), { ...ask, subject: "customer:nobody" })).rejects.toMatchObject({ code: "not-found" });
  await expect(remit.privacy.exportPage(ada(remit), { ...ask, subject: "kim" })).rejects.toMatchObject({ code: "invalid-request" });
});

test("[AUD-14][DAT-17] erasing somebody erases what is about him and nothing else, on every server at once, and every proof still holds", async () => {
  await using remit = await openTestPrivacy();
  const other = await remit.another();
  // As a server joins its parts.
  other.control.onChange(async () => other.payloadKeys.forget());
  await remit.mail("kim@example.org", "to kim");
  await remit.mail("lee@example.org", "to lee");
  // The other server has kim's key at hand too.
  expect(await other.act("send_email", { to: "kim@example.org", body: "again" })).toMatchObject({ type: "succeeded" });
  const plan = await remit.privacy.plan("customer:kim@example.org");
  expect(plan).toMatchObject({ erased: false, payloads: 4, shared: 0, entries: 4, holds: [], entry: null });
  const before = await verify(remit);
  const erased = await remit.privacy.erase(ada(remit), { subject: "customer:kim@example.org", reason: "DSR-17" });
  expect(erased).toMatchObject({ erased: true, payloads: 4, rewritten: true });
  expect(await argumentsOf(remit)).toEqual([null, { to: "lee@example.org", body: "to lee" }, null]);
  const after = await verify(remit);
  expect(before.ok && after.ok).toBe(true);
  expect(after.payloads).toMatchObject({ erased: 4 });
  expect(after.size).toBe(before.size + 1);
  // Nothing says any more whose the key was; nobody is erased twice; and somebody who comes back is somebody new.
  expect((await remit.privacy.list({ after: null, limit: 50 })).items.map(({ subject }) => subject)).toEqual(["customer:lee@example.org"]);
  await expect(remit.privacy.erase(ada(remit), { subject: "customer:kim@example.org", reason: "x" })).rejects.toMatchObject({
    code: "not-found",
  });
  await other.control.refresh();
  expect(await other.act("send_email", { to: "kim@example.org", body: "anew" })).toMatchObject({ type: "succeeded" });
  expect((await argumentsOf(remit)).at(-1)).toEqual({ to: "kim@example.org", body: "anew" });
  const anew = await remit.privacy.plan("customer:kim@example.org");
  expect(anew).toMatchObject({ payloads: 2 });
  expect(anew.key).not.toBe(plan.key);
  // A party keeps its name: what it does afterwards is sealed under a new key, which opens nothing that was before, and nothing was tampered with.
  const asked = { ...ask, subject: "customer:kim@example.org" };
  await remit.privacy.exportPage(ada(remit), asked);
  await remit.privacy.erase(ada(remit), { subject: "party:ada", reason: "left" });
  await remit.privacy.exportPage(ada(remit), asked);
  expect(await verify(remit)).toMatchObject({ ok: true, problems: [] });
  const { items } = await remit.requests.list({ before: null, limit: 10 });
  expect(items.map(({ reason }) => reason)).toEqual([ask.reason, null, null, null]);
});

test("[DAT-14] what is about several is erased with any of them, and shown to one only where that is asked for", async () => {
  await using remit = await openTestPrivacy({
    tools: [
      {
        name: "send_email",
        subjects: [
          { type: "customer", in: "arguments", pointer: "/to" },
          { type: "customer", in: "arguments", pointer: "/subject" },
        ],
      },
    ],
  });
  expect(await remit.act("send_email", { to: "kim", subject: "lee", body: "you two" })).toMatchObject({ type: "succeeded" });
  const values = async (includeShared: boolean) => {
    const { entries } = await remit.privacy.exportPage(ada(remit), { ...ask, subject: "customer:lee", includeShared });
    return entries.flatMap(({ payloads }) => Object.values(payloads).map(({ state }) => state));
  };
  expect(await values(false)).toEqual(["shared", "shared"]);
  expect(await values(true)).toEqual(["open", "open"]);
  expect(await remit.privacy.plan("customer:lee")).toMatchObject({ payloads: 2, shared: 2 });
  await remit.privacy.erase(ada(remit), { subject: "customer:kim", reason: "asked" });
  expect(await values(true)).toEqual(["erased", "erased"]);
  expect(await verify(remit)).toMatchObject({ ok: true });
});

test("[DAT-14] a request that waits for people ends when those it is about are erased; nothing of it is executed", async () => {
  await using remit = await openTestPrivacy({ policy: mailWaits });
  const asked = await remit.act("send_email", { to: "kim", body: "a refund" });
  const granted = await remit.act("send_email", { to: "kim", body: "another" });
  await remit.vote(granted);
  expect(await remit.privacy.erase(ada(remit), { subject: "customer:kim", reason: "asked" })).toMatchObject({ approvals: 2 });
  expect(await remit.path.executeGranted()).toBe(0);
  expect(remit.upstream.calls).toEqual([]);
  expect((await remit.actions()).map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
  if (asked.type !== "waiting") throw new Error("it should wait");
  expect(await remit.approvals.get(asked.approvalId, remit.person("ben"))).toMatchObject({ state: "cancelled" });
});

test("[DAT-14] where something that names nobody stands in the place of a subject, the call is refused; such a result is withheld", async () => {
  await using remit = await openTestPrivacy({
    tools: [
      { name: "tickets.read", subjects: [{ type: "customer", in: "result", pointer: "/structuredContent/people/*/id" }] },
      { name: "refund.create", subjects: [{ type: "order", in: "arguments", pointer: "/currency" }] },
    ],
  });
  expect(await remit.act("refund.create", { amountCents: 1, currency: "" })).toMatchObject({ type: "denied", code: "invalid-arguments" });
  const answer = (people: unknown[]) => (remit.upstream.answer = () => ({ content: [], structuredContent: { people: people as [] } }));
  answer([{ id: "kim" }, { id: 7 }, { name: "nobody" }]);
  expect(await remit.act("tickets.read", { id: "1" })).toMatchObject({ type: "succeeded" });
  const { items } = await remit.privacy.list({ after: null, limit: 50 });
  expect(items.map(({ subject }) => subject).sort()).toEqual(["customer:7", "customer:kim"]);
  answer([{ id: { nested: true } }]);
  expect(await remit.act("tickets.read", { id: "2" })).toMatchObject({ type: "failed", code: "result-invalid" });
  answer(Array.from({ length: 65 }, (_, index) => ({ id: index })));
  expect(await remit.act("tickets.read", { id: "3" })).toMatchObject({ type: "failed", code: "result-invalid" });
});

const day = 86_400_000;
const purgedAfterADay = {
  organisation: { retention: { arguments: "P1D", results: { restricted: "P1D", internal: "P1D", confidential: "P1D" } } },
};

test("[DAT-12] what is held is neither erased nor purged, whoever asks, and releasing it takes two people", async () => {
  await using remit = await openTestPrivacy(purgedAfterADay);
  const dana = remit.person("dana");
  remit.clock.now = Date.now() - 10 * day;
  await remit.mail("kim", "to kim");
  await remit.mail("lee", "to lee");
  const hold = await remit.holds.place(dana, { name: "Smith v. Acme", subject: "customer:kim", reason: "litigation" });
  expect(hold).toMatchObject({ subject: "customer:kim", placedBy: "dana", releasedAt: null });
  const again = { name: "Smith v. Acme", subject: null, reason: "again" };
  await expect(remit.holds.place(dana, again)).rejects.toMatchObject({ code: "conflict" });
  await expect(remit.privacy.erase(ada(remit), { subject: "customer:kim", reason: "asked" })).rejects.toThrow('hold "Smith v. Acme"');
  // The database refuses it by itself.
  const { key } = await remit.privacy.plan("customer:kim");
  await expect(remit.database.query("SELECT erase_payload_key($1)", [key])).rejects.toThrow("held: Smith v. Acme");

  // Two days later both are due; what is held stays open, by a key of its own.
  remit.clock.now += 3 * day;
  const due = await remit.retention.plan();
  expect(due.keys.map(({ class: kind, payloads, held }) => [kind, payloads, held])).toEqual([
    ["arguments", 2, 1],
    ["results", 2, 1],
  ]);
  const names = due.keys.map(({ class: kind, sensitivity, day: of }) => `kept:${kind}/${sensitivity}/${of}`);
  await expect(remit.database.query("SELECT purge_kept_keys($1)", [names])).rejects.toThrow("held: Smith v. Acme");
  expect(await remit.retention.catchUp()).toMatchObject({ purged: true });
  expect(await argumentsOf(remit)).toEqual([{ to: "kim", body: "to kim" }, null]);
  expect(await verify(remit)).toMatchObject({ ok: true });
  const evidence = (await remit.entries()).filter(({ type }) => type === "retention-purged");
  expect(evidence).toMatchObject([
    {
      actor: "service:retention",
      data: { putAside: 2, keys: [{ class: "arguments", schedule: "P1D", payloads: 2, held: 1 }, { class: "results" }] },
    },
  ]);

  // One person asks twice, and nothing happens; a second one ends it, and what only the hold kept goes with it.
  expect(await remit.holds.release(dana, "Smith v. Acme", "settled")).toMatchObject({ releaseRequestedBy: "dana", releasedAt: null });
  await expect(remit.holds.release(dana, hold.id, "settled")).rejects.toMatchObject({ code: "forbidden" });
  expect((await argumentsOf(remit))[0]).not.toBeNull();
  expect((await remit.holds.release(ada(remit), hold.id, "settled")).releasedAt).not.toBeNull();
  expect(await argumentsOf(remit)).toEqual([null, null]);
  await expect(remit.holds.release(ada(remit), hold.id, "settled")).rejects.toMatchObject({ code: "conflict" });
  expect((await remit.holds.list({ all: false, after: null, limit: 10 })).items).toEqual([]);
  expect((await remit.holds.list({ all: true, after: null, limit: 10 })).items).toMatchObject([{ name: "Smith v. Acme" }]);
  const { items } = await remit.requests.list({ before: null, limit: 10 });
  expect(items.map(({ type }) => type).sort()).toEqual([
    "erasure-refused",
    "hold-placed",
    "hold-release-requested",
    "hold-released",
    "retention-purged",
  ]);
});

test("[DAT-12] somebody else's erasure does not take what is shared with somebody who is held; a hold of everything stops it all", async () => {
  await using remit = await openTestPrivacy({
    ...purgedAfterADay,
    tools: [
      {
        name: "send_email",
        subjects: [
          { type: "customer", in: "arguments", pointer: "/to" },
          { type: "customer", in: "arguments", pointer: "/subject" },
        ],
      },
    ],
  });
  remit.clock.now = Date.now() - 10 * day;
  expect(await remit.act("send_email", { to: "kim", subject: "lee" })).toMatchObject({ type: "succeeded" });
  const dana = remit.person("dana");
  // Also of somebody about whom nothing is held yet.
  await remit.holds.place(dana, { name: "early", subject: "customer:new", reason: "expected" });
  const hold = await remit.holds.place(dana, { name: "lee's case", subject: "customer:lee", reason: "litigation" });
  await expect(remit.privacy.erase(ada(remit), { subject: "customer:kim", reason: "asked" })).rejects.toThrow("lee's case");
  await expect(remit.privacy.erase(ada(remit), { subject: "customer:new", reason: "asked" })).rejects.toThrow("early");
  for (const person of [dana, ada(remit)]) await remit.holds.release(person, hold.id, "settled");
  await remit.holds.place(dana, { name: "everything", subject: null, reason: "a court says so" });
  await expect(remit.privacy.erase(ada(remit), { subject: "customer:kim", reason: "asked" })).rejects.toThrow("everything");
  remit.clock.now += 3 * day;
  expect(await remit.retention.plan()).toMatchObject({ heldBy: "everything", keys: [{}, {}] });
  expect(await remit.retention.catchUp()).toBeNull();
  await expect(remit.retention.purge("party:ada")).rejects.toThrow("everything");
  expect(await argumentsOf(remit)).toEqual([{ to: "kim", subject: "lee" }]);
});

test("[DAT-12] each day's payloads end when their class and sensitivity say, the rest stays, and rows of what ended go with their time", async () => {
  await using remit = await openTestPrivacy({ organisation: { retention: { arguments: "P2D", rows: "P5D" } } });
  const start = Date.now() - 20 * day;
  remit.clock.now = start;
  await remit.mail("kim", "first");
  remit.clock.now += day;
  await remit.mail("kim", "second");
  // The day of the first has to be over, and then two more.
  remit.clock.now = Math.ceil(start / day) * day + 2 * day - 1;
  expect(await remit.retention.catchUp()).toBeNull();
  remit.clock.now += 1;
  expect((await remit.retention.plan()).keys).toMatchObject([{ class: "arguments", payloads: 1, schedule: "P2D" }]);
  expect(await remit.retention.catchUp()).toMatchObject({ keys: [{ payloads: 1 }], rows: { action: 0 } });
  expect(await argumentsOf(remit)).toEqual([null, { to: "kim", body: "second" }]);
  expect(await remit.retention.catchUp()).toBeNull();
  // Results have no schedule.
  const results = (await remit.privacy.exportPage(ada(remit), { ...ask, subject: "customer:kim" })).entries.flatMap(
    ({ payloads }) => payloads["result"] ?? [],
  );
  expect(results.map(({ state }) => state)).toEqual(["open", "open"]);
  // Rows: their entries stay.
  remit.clock.now = start + 6 * day;
  const before = (await remit.entries()).length;
  expect(await remit.retention.catchUp()).toMatchObject({ rows: { action: 1 } });
  expect(await remit.actions()).toHaveLength(1);
  expect((await remit.entries()).length).toBe(before + 1);
  expect(await verify(remit)).toMatchObject({ ok: true });
});

test("[DAT-12][DAT-14] the application can destroy a key in no other way, nor those of a day that still goes on", async () => {
  await using remit = await openTestPrivacy();
  await remit.mail("kim", "hello");
  const today = new Date().toISOString().slice(0, 10);
  for (const statement of [
    "DELETE FROM payload_key",
    "UPDATE payload_key SET wrapped = ''",
    "DELETE FROM data_subject",
    "DELETE FROM held_payload_key",
    "DELETE FROM legal_hold",
    "UPDATE legal_hold SET name = 'x'",
    "INSERT INTO key_rewrite (relation) VALUES ('x')",
    "SELECT note_rewrite('{}')",
    "DELETE FROM payload_key_0",
    "TRUNCATE payload_key",
  ]) {
    await expect(remit.database.query(statement), statement).rejects.toMatchObject({ code: "42501" });
  }
  for (const statement of [
    `SELECT purge_kept_keys(ARRAY['kept:arguments/restricted/${today}'])`,
    "SELECT purge_kept_keys(ARRAY['run:run_1'])",
    "SELECT erase_payload_key('kept:arguments/restricted/2020-01-01')",
    "SELECT purge_ended_rows(clock_timestamp(), 10)",
  ]) {
    await expect(remit.database.query(statement), statement).rejects.toMatchObject({ code: "P0001" });
  }
});
