import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { formatAddCheckpoint, parseCheckpoint, parseNote, readCheckpoint } from "@remit/core";
import { describe, expect, test } from "vitest";
import { noteCrypto } from "../keys/note-crypto.ts";
import { createTreeStore } from "../ledger/tree-store.postgres.ts";
import { createTreeProofs } from "../ledger/tree-proofs.ts";
import { openAnchoredLedger, policyOf, startTestWitness } from "./anchors.testing.ts";
import type { AnchoredLedger, TestWitness } from "./anchors.testing.ts";

async function turn(ledger: AnchoredLedger, anchors: Awaited<ReturnType<AnchoredLedger["watch"]>>) {
  await ledger.hurry();
  await anchors.turn();
  return anchors.view();
}

test("[AUD-14] a ledger is called witnessed when as many organisations as the policy asks for have signed one checkpoint of it", async () => {
  await using ledger = await openAnchoredLedger();
  await using bank = await startTestWitness("bank", ledger.vkey);
  await using court = await startTestWitness("court", ledger.vkey, true);
  const policy = policyOf([bank, court], 2);
  const anchors = await ledger.watch(policy);
  await ledger.fill(10, 20);
  expect(await anchors.view()).toMatchObject({ status: "UNANCHORED", words: "UNANCHORED", behind: 31 });

  const view = await turn(ledger, anchors);
  expect(view).toMatchObject({ status: "WITNESSED", words: "WITNESSED(2 organisations)", size: 31, behind: 0, quorum: 2, splitViews: [] });
  expect(view.ageSeconds).toBeLessThan(3_600);
  expect(view.witnesses.map(({ size, problem }) => [size, problem])).toEqual([
    [31, null],
    [31, null],
    [31, null],
  ]);

  const { checkpoint } = await createTreeStore(ledger.database).last();
  const note = checkpoint === null ? "" : await anchors.notes.whole(checkpoint);
  const { known } = await ledger.ledgerKeys.history();
  expect(readCheckpoint(noteCrypto, note, { ledgerKeys: known, policy })).toMatchObject({
    type: "checkpoint",
    checkpoint: { size: 31 },
    cosignatures: { length: 3 },
    organisations: ["bank", "court"],
  });
  expect(await ledger.audit(anchors).verify()).toMatchObject({
    ok: true,
    anchoring: "WITNESSED",
    anchor: { size: 31, organisations: ["bank", "court"] },
  });

  // It goes on, and says how far behind its witnesses are.
  await ledger.fill(5);
  expect(await anchors.view()).toMatchObject({ status: "WITNESSED", size: 31, behind: 5 });
  expect(await turn(ledger, anchors)).toMatchObject({ size: 36, behind: 0 });
  expect((await anchors.notes.witnessed())?.size).toBe(36);
});

test("[AUD-14] two witnesses of one organisation are one; a witness that is away is waited for and tried again", async () => {
  await using ledger = await openAnchoredLedger();
  await using one = await startTestWitness("acme-1", ledger.vkey);
  await using two = await startTestWitness("acme-2", ledger.vkey);
  await using court = await startTestWitness("court", ledger.vkey);
  const anchors = await ledger.watch(policyOf([one, two, court], 2, { "acme-1": "acme", "acme-2": "acme" }));
  await ledger.fill(3);
  await court.stop();
  const view = await turn(ledger, anchors);
  expect(view).toMatchObject({ status: "UNANCHORED", words: "UNANCHORED (1 of 2 organisations)", organisations: ["acme"] });
  expect(view.witnesses.find(({ organisation }) => organisation === "court")?.problem).toContain("could not be reached");
  expect(await ledger.audit(anchors).verify()).toMatchObject({
    ok: true,
    anchoring: "UNANCHORED",
    anchor: { words: "UNANCHORED (1 of 2 organisations)" },
  });
  await court.restart();
  expect(await turn(ledger, anchors)).toMatchObject({ status: "WITNESSED", organisations: ["acme", "court"] });
});

test("[AUD-14] many servers send to one witness one at a time", async () => {
  await using ledger = await openAnchoredLedger();
  await using bank = await startTestWitness("bank", ledger.vkey);
  const all = await Promise.all([1, 2, 3].map(() => ledger.watch(policyOf([bank], 1))));
  for (let count = 0; count < 5; count += 1) {
    await ledger.fill(1);
    await ledger.hurry();
    await Promise.all(all.map((anchors) => anchors.turn()));
  }
  expect(ledger.problems).toEqual([]);
  const rows = await ledger.database.query<{ count: string }>("SELECT count(*) FROM ledger_cosignature");
  expect(Number(rows[0]?.count)).toBeLessThanOrEqual(6);
  expect(await all[0]?.view()).toMatchObject({ status: "WITNESSED", size: 6 });
});

/** The ledger as it was, as whoever holds the database and the key can put it back. */
const tables = ["ledger_entry", "ledger_leaf", "ledger_tile", "ledger_checkpoint"];
async function backup(ledger: AnchoredLedger) {
  for (const table of tables) await ledger.superuser.query(`CREATE TABLE backup_${table} AS SELECT * FROM ${table}`);
}
async function restore(ledger: AnchoredLedger) {
  for (const table of tables) {
    await ledger.superuser.query(`DELETE FROM ${table}`);
    await ledger.superuser.query(`INSERT INTO ${table} SELECT * FROM backup_${table}`);
  }
  // Another one takes over and reads what is there; what witnesses said is taken away as well.
  await ledger.superuser.query("DELETE FROM ledger_cosignature");
  await ledger.superuser.query("UPDATE ledger_sequencer SET epoch = epoch + 1, expires_at = '-infinity'");
}

describe("[AUD-14] a split view is found, kept with both notes, told in the ledger and said aloud", () => {
  test("when the ledger is put back to an older state, and whoever does it has its key and everything in the database", async () => {
    await using ledger = await openAnchoredLedger();
    await using bank = await startTestWitness("bank", ledger.vkey);
    const anchors = await ledger.watch(policyOf([bank], 1));
    await ledger.fill(10);
    await backup(ledger);
    await ledger.fill(7);
    await turn(ledger, anchors);
    await restore(ledger);

    // Without a witness nobody could tell: the rows explain each other.
    const alone = await ledger.audit({ ...anchors, outside: async () => ({ ...(await anchors.outside()), views: [] }) }).verify();
    expect(alone).toMatchObject({ ok: true, size: 11, anchoring: "UNANCHORED" });
    expect(await ledger.audit(anchors).verify()).toMatchObject({
      ok: false,
      firstWrong: { seq: 11, what: expect.stringContaining("18 entries") as string },
    });

    const view = await turn(ledger, anchors);
    expect(view.words).toBe("SPLIT VIEW, UNANCHORED");
    expect(view.splitViews).toMatchObject([{ seenAt: bank.url, what: expect.stringContaining("older state") as string }]);
    expect(ledger.problems.join()).toContain("SPLIT VIEW");
    const [split] = view.splitViews;
    const sizes = [split?.ours, split?.theirs].map((note) => parseCheckpoint(parseNote(note ?? "")?.text ?? "")?.size);
    expect(sizes).toEqual([11, 18]);
    await ledger.sequencer.flushed();
    const told = await ledger.database.query("SELECT FROM ledger_entry WHERE type = 'ledger-split-view-found'");
    expect(told).toHaveLength(1);
    // Once: and nothing is sent any more to whoever has seen it.
    await turn(ledger, anchors);
    expect((await anchors.view()).splitViews).toHaveLength(1);
  });

  test("when it is rewritten and grows beyond what was seen", async () => {
    await using ledger = await openAnchoredLedger();
    await using bank = await startTestWitness("bank", ledger.vkey);
    const anchors = await ledger.watch(policyOf([bank], 1));
    await ledger.fill(10);
    await backup(ledger);
    await ledger.fill(7);
    await turn(ledger, anchors);
    await restore(ledger);
    await ledger.fill(30);
    const verdict = await ledger.audit(anchors).verify();
    expect(verdict).toMatchObject({ ok: false });
    expect(verdict.firstWrong?.what).toContain(bank.url);
    const view = await turn(ledger, anchors);
    expect(view.splitViews).toMatchObject([{ what: expect.stringContaining("rewritten") as string }]);
    // The witness forgets, or is gone: what it showed once is still held against the ledger.
    await bank.stop();
    expect(await ledger.audit(anchors).verify()).toMatchObject({ ok: false });
  });
});

describe("what a witness may answer and is not believed", () => {
  /** Something that answers as it likes where a witness is expected. */
  async function startLiar(answer: (body: string, path: string) => { status: number; type?: string; body: string }) {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { status, type = "text/plain", body } = answer(Buffer.concat(chunks).toString(), request.url ?? "");
        response.writeHead(status, { "content-type": type });
        response.end(body);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        server.close();
        await once(server, "close");
      },
    };
  }

  const cases: [string, { status: number; type?: string; body: string }, RegExp][] = [
    ["nothing at all", { status: 200, body: "" }, /not made of signature lines/],
    ["words", { status: 200, body: "ok\n" }, /not made of signature lines/],
    ["somebody else's signature", { status: 200, body: `— bank ${Buffer.alloc(76, 1).toString("base64")}\n` }, /signed by no key/],
    ["a page", { status: 200, type: "text/html", body: "<p>" }, /not of a type/],
    ["more than anybody needs", { status: 200, body: "x".repeat(70_000) }, /larger than/],
    ["a conflict without a size", { status: 409, body: "nine\n" }, /without saying which size/],
    ["a size in the wrong type", { status: 409, type: "text/plain", body: "9\n" }, /without saying which size/],
    [
      "a size beyond the ledger, and nothing to show for it",
      { status: 409, type: "text/x.tlog.size", body: "999\n" },
      /it says that our checkpoint/,
    ],
    ["a refusal, and nothing to show for it", { status: 422, body: "no\n" }, /it says that our checkpoint/],
    ["that it does not watch this ledger", { status: 404, body: "" }, /does not watch/],
    ["that it knows another key", { status: 403, body: "" }, /another key/],
    ["an error", { status: 500, body: "" }, /answered 500/],
    ["a way elsewhere", { status: 307, body: "" }, /answered 307|sends on/],
  ];

  test("[AUD-14] each of these is a problem of that witness, no cosignature and no split view", async () => {
    await using ledger = await openAnchoredLedger();
    await using bank = await startTestWitness("bank", ledger.vkey);
    await ledger.fill(3);
    let now = cases[0]?.[1] ?? { status: 500, body: "" };
    await using liar = await startLiar((_, path) => (path === "/add-checkpoint" ? now : { status: 404, body: "" }));
    const anchors = await ledger.watch(policyOf([{ ...bank, url: liar.url }], 1));
    for (const [name, answer, problem] of cases) {
      now = answer;
      const view = await turn(ledger, anchors);
      expect([name, view.status, view.splitViews]).toEqual([name, "UNANCHORED", []]);
      expect([name, view.witnesses[0]?.problem]).toEqual([name, expect.stringMatching(problem) as string]);
    }
  });

  test("[AUD-14] a cosignature of another size, of another time, of the future, changed or doubled", async () => {
    await using ledger = await openAnchoredLedger();
    await using bank = await startTestWitness("bank", ledger.vkey);
    await ledger.fill(3);
    const old = await send(bank, await requestOf(ledger));
    await ledger.fill(3);
    let answer = old;
    await using liar = await startLiar(() => ({ status: 200, body: answer }));
    const policy = policyOf([{ ...bank, url: liar.url }], 1);
    const anchors = await ledger.watch(policy);
    // Replayed: it is over the smaller checkpoint.
    expect((await turn(ledger, anchors)).witnesses[0]?.problem).toMatch(/false signature/);
    const bytes = Buffer.from(old.trim().split(" ")[2] ?? "", "base64");
    bytes.writeUInt8(bytes.readUInt8(11) ^ 1, 11);
    answer = `${old.split(" ").slice(0, 2).join(" ")} ${bytes.toString("base64")}\n`;
    expect((await turn(ledger, anchors)).witnesses[0]?.problem).toMatch(/false signature/);
    answer = await send(bank, await requestOf(ledger, 4));
    expect((await turn(ledger, anchors)).status).toBe("WITNESSED");

    // To a server whose clock is an hour behind, the same line comes from the future.
    await ledger.superuser.query("DELETE FROM ledger_cosignature");
    await ledger.superuser.query("DELETE FROM ledger_anchor");
    const behind = await ledger.watch(policy, { now: () => new Date(Date.now() - 3_600_000) });
    const view = await turn(ledger, behind);
    expect([view.status, view.witnesses[0]?.problem]).toEqual(["UNANCHORED", expect.stringContaining("clock") as string]);
    answer = answer + answer;
    const doubled = await turn(ledger, anchors);
    expect(doubled).toMatchObject({ status: "WITNESSED", words: "WITNESSED(1 organisation)" });
  });

  test("[AUD-14] a witness that shows a checkpoint of its own making proves nothing", async () => {
    await using ledger = await openAnchoredLedger();
    await using bank = await startTestWitness("bank", ledger.vkey);
    await ledger.fill(3);
    const shown =
      "remit.local/ledger\n99\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— remit.local/ledger Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    await using liar = await startLiar((_, path) =>
      path === "/add-checkpoint" ? { status: 422, body: "" } : { status: 200, body: shown },
    );
    const anchors = await ledger.watch(policyOf([{ ...bank, url: liar.url }], 1));
    const view = await turn(ledger, anchors);
    expect([view.splitViews, view.witnesses[0]?.problem]).toEqual([
      [],
      expect.stringContaining("not a checkpoint of this ledger") as string,
    ]);
    expect(await ledger.audit(anchors).verify()).toMatchObject({ ok: true, anchoring: "UNANCHORED" });
  });

  test("[AUD-14] a line that was put into the database is found, and is not given out", async () => {
    await using ledger = await openAnchoredLedger();
    await using bank = await startTestWitness("bank", ledger.vkey);
    const anchors = await ledger.watch(policyOf([bank], 1));
    await ledger.fill(3);
    await ledger.superuser.query("INSERT INTO ledger_cosignature (size, vkey, timestamp, line) VALUES (4, $1, 1, $2)", [
      bank.vkeys[0],
      `— bank ${Buffer.concat([Buffer.from((bank.vkeys[0] ?? "").split("+")[1] ?? "", "hex"), Buffer.alloc(72, 1)]).toString("base64")}\n`,
    ]);
    const { checkpoint } = await createTreeStore(ledger.database).last();
    expect(checkpoint === null ? "" : await anchors.notes.whole(checkpoint)).toBe(checkpoint?.note);
    expect(await anchors.view()).toMatchObject({ status: "UNANCHORED" });
    expect(await ledger.audit(anchors).verify()).toMatchObject({
      ok: false,
      firstWrong: { seq: 3, what: expect.stringContaining("have not") as string },
    });
  });
});

/** What a server would send to a witness that holds `from` entries. */
async function requestOf(ledger: AnchoredLedger, from = 0): Promise<string> {
  const tree = createTreeStore(ledger.database);
  const { checkpoint } = await tree.last();
  const proof = await createTreeProofs(tree).consistency(from, checkpoint?.size ?? 0);
  return formatAddCheckpoint({ oldSize: from, proof, checkpoint: checkpoint?.note ?? "" });
}

async function send(witness: TestWitness, body: string): Promise<string> {
  return (await fetch(`${witness.url}/add-checkpoint`, { method: "POST", body })).text();
}
