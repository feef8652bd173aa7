import type { ApprovalView, Id } from "@remit/contract";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startCatchUpClock } from "../clock/catch-up-clock.ts";
import { openTestApprovals, testDigest, testRegistry, voteOn } from "./approval.testing.ts";

const hour = 3_600_000;
const types = (entries: { type: string }[]) => entries.map(({ type }) => type);
const unexpected = (error: unknown): never => {
  throw error;
};

test("[CTL-13][RUN-22] a request shows everything: exact arguments, who, why, effect, gates, team, expiry", async () => {
  await using test = await openTestApprovals();
  const long = `${"a long mail ".repeat(400)}; rm -rf / # the tail is shown as well`;
  const opened = await test.ask({ arguments: { to: "kim@example.com", body: long, nested: { list: [1, null, "x"] } } });
  expect(opened).toMatchObject({ link: `http://localhost:4680/approvals/${opened.id}`, teams: ["support-lead"] });
  expect(await test.approvals.open(opened.actionId)).toEqual({ ...opened, actionId: undefined });
  const view = await test.approvals.get(opened.id, test.person("ben"));
  expect(view).toEqual({
    id: opened.id,
    state: "pending",
    actionId: opened.actionId,
    digest: testDigest,
    tool: "helpdesk__send_email",
    effect: "write",
    reversibility: "none",
    environment: "staging",
    arguments: { to: "kim@example.com", body: long, nested: { list: [1, null, "x"] } },
    agent: "support-agent",
    accountable: "ada",
    runId: null,
    subject: "Ticket 1042: refund for a broken kettle",
    reason: "Mail to a customer is looked at first.",
    gates: ["mail.ask"],
    teams: [{ team: "support-lead", quorum: 1, escalatedTo: [], eligible: ["ben", "cleo"], votes: [] }],
    delegations: [],
    requestedAt: "2026-11-21T09:00:00.000Z",
    expiresAt: "2026-11-21T13:00:00.000Z",
    decidedAt: null,
    endedReason: null,
    link: opened.link,
    outcome: null,
    you: { mayVote: true, mayDelegate: true, mayCancel: true, vote: null },
  } satisfies ApprovalView);
  expect(types(await test.entries(opened.id))).toEqual(["approval-requested", "notification-recorded"]);
});

test("arguments are for those who decide, answer or look after Remit; others see that there is a request", async () => {
  await using test = await openTestApprovals();
  const { id } = await test.ask();
  const sees = async (party: string) => (await test.approvals.get(id, test.person(party))).arguments !== null;
  expect(await Promise.all(["ben", "cleo", "ada", "dana", "fay"].map(sees))).toEqual([true, true, true, true, false]);
});

describe("[CTL-26][AUD-07][AUD-08] deciding", () => {
  test("a yes grants, is recorded with its digest, and can be used exactly once", async () => {
    await using test = await openTestApprovals();
    const { id, actionId } = await test.ask();
    let told = 0;
    test.approvals.onGranted(() => (told += 1));
    const view = await test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "approve", "the customer asked for it"));
    expect(view).toMatchObject({
      state: "granted",
      decidedAt: "2026-11-21T09:00:00.000Z",
      teams: [{ votes: [{ party: "ben", vote: "approve", comment: "the customer asked for it" }] }],
      you: { mayVote: false, mayDelegate: false, mayCancel: true, vote: "approve" },
    });
    expect(told).toBe(1);
    expect(await test.approvals.open(actionId)).toBe(null);
    expect(await test.approvals.granted(10)).toEqual([{ approvalId: id, actionId, digest: testDigest, teams: ["support-lead"] }]);
    const use = (digest: string) => test.database.transaction((transaction) => test.approvals.consume(transaction, id, digest));
    expect(await use("e".repeat(64))).toBe(false);
    expect(await use(testDigest)).toBe(true);
    expect(await use(testDigest)).toBe(false);
    expect(await test.approvals.granted(10)).toEqual([]);
    const entries = await test.entries(id);
    expect(types(entries).slice(2)).toEqual(["approval-voted", "approval-granted", "approval-consumed"]);
    expect(entries[2]).toMatchObject({ actor: "party:ben", data: { vote: "approve", digest: testDigest } });
    // What was said of people is sealed, and stays out of the entry itself.
    expect(JSON.stringify(entries)).not.toContain("the customer asked");
  });

  test("a no ends the action in the same transaction", async () => {
    await using test = await openTestApprovals();
    const { id, actionId } = await test.ask();
    expect(await test.approvals.vote(id, test.person("cleo"), voteOn({ digest: testDigest }, "deny", "not this one"))).toMatchObject({
      state: "denied",
      endedReason: "not this one",
    });
    expect(await test.ended(actionId)).toEqual({ state: "rejected", reason: "cleo denied it.", actor: "party:cleo" });
    expect(types(await test.entries(id)).slice(2)).toEqual(["approval-voted", "approval-denied"]);
  });

  test("what cannot be recorded is not decided", async () => {
    await using test = await openTestApprovals();
    const { id, actionId } = await test.ask();
    await test.superuser.query("REVOKE INSERT ON ledger_entry FROM remit_app");
    await expect(test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "deny"))).rejects.toThrow();
    await test.superuser.query("GRANT INSERT ON ledger_entry TO remit_app");
    expect(await test.approvals.get(id, test.person("ben"))).toMatchObject({ state: "pending", you: { vote: null } });
    expect(await test.ended(actionId)).toBe(null);
  });

  test("another digest than the one of the request decides nothing", async () => {
    await using test = await openTestApprovals();
    const { id } = await test.ask();
    const stale = test.approvals.vote(id, test.person("ben"), voteOn({ digest: "e".repeat(64) }, "approve"));
    await expect(stale).rejects.toMatchObject({ code: "conflict" });
    expect((await test.approvals.get(id, test.person("ben"))).state).toBe("pending");
    expect((await test.entries(id)).at(-1)).toMatchObject({ type: "access-refused", actor: "party:ben", data: { code: "conflict" } });
  });

  test("the same vote again is answered alike and recorded once; another is refused", async () => {
    await using test = await openTestApprovals();
    const { id } = await test.ask();
    const ben = test.person("ben");
    await test.approvals.vote(id, ben, voteOn({ digest: testDigest }, "approve"));
    expect((await test.approvals.vote(id, ben, voteOn({ digest: testDigest }, "approve"))).state).toBe("granted");
    await expect(test.approvals.vote(id, ben, voteOn({ digest: testDigest }, "deny"))).rejects.toMatchObject({ code: "approval-decided" });
    await expect(test.approvals.vote(id, test.person("cleo"), voteOn({ digest: testDigest }, "deny"))).rejects.toMatchObject({
      code: "approval-decided",
    });
    expect(types(await test.entries(id)).filter((type) => type === "approval-voted")).toHaveLength(1);
  });

  test("nobody outside the team, and not the accountable human alone, whoever made his login", async () => {
    await using test = await openTestApprovals();
    const { id } = await test.ask({ teams: [{ team: "pair", gates: ["two.eyes"] }] });
    const yes = voteOn({ digest: testDigest }, "approve");
    await expect(test.approvals.vote(id, test.person("dana"), yes)).rejects.toMatchObject({ code: "approval-not-eligible" });
    expect((await test.approvals.vote(id, test.person("ada"), yes)).state).toBe("pending");
    // Ada made Ben's login link: his yes may be hers.
    expect((await test.approvals.vote(id, test.person("ben", { linkedBy: "party:ada" }), yes)).state).toBe("pending");
    expect((await test.approvals.vote(id, test.person("cleo"), yes)).state).toBe("granted");
    expect((await test.entries(id)).filter(({ type }) => type === "approval-voted").map(({ data }) => data["samePersonAs"])).toEqual([
      undefined,
      "ada",
      undefined,
    ]);
  });

  test("who decided is shown for good, also when they have left since", async () => {
    await using test = await openTestApprovals();
    const { id } = await test.ask();
    await test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "approve"));
    test.registry.current = testRegistry({ parties: [{ name: "ben", active: false }] });
    const view = await test.approvals.get(id, test.person("cleo"));
    expect(view).toMatchObject({ state: "granted", teams: [{ votes: [{ party: "ben", vote: "approve" }] }] });
    expect(view.teams[0]?.eligible).not.toContain("ben");
  });

  test("a person who is deactivated before the quorum is reached does not count", async () => {
    await using test = await openTestApprovals();
    const { id } = await test.ask({ teams: [{ team: "pair", gates: [] }] });
    await test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "approve"));
    test.registry.current = testRegistry({
      parties: [{ name: "ben", active: false }],
      teams: [{ name: "pair", members: ["ben", "cleo", "ada"], approval: { quorum: 2, expiresAfter: "PT4H" } }],
    });
    const after = await test.approvals.vote(id, test.person("cleo"), voteOn({ digest: testDigest }, "approve"));
    expect(after).toMatchObject({ state: "pending", teams: [{ votes: [{ party: "cleo" }] }] });
  });

  test("an id of nothing is not found", async () => {
    await using test = await openTestApprovals();
    const id = `apr_${"0".repeat(32)}` as Id<"approval">;
    await expect(test.approvals.get(id, test.person("ben"))).rejects.toMatchObject({ code: "not-found" });
    await expect(test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "deny"))).rejects.toMatchObject({
      code: "not-found",
    });
  });
});

test("[CTL-37] a request that nobody could grant is refused, and nothing is left of it", async () => {
  await using test = await openTestApprovals();
  test.registry.current = testRegistry({ teams: [{ name: "owners", members: ["ada"], approval: { quorum: 1, expiresAfter: "PT1H" } }] });
  await expect(test.ask({ teams: [{ team: "owners", gates: [] }] })).rejects.toMatchObject({ code: "invalid-configuration" });
  expect(await test.database.query("SELECT id FROM approval UNION ALL SELECT id FROM test_action")).toEqual([]);
});

describe("calling off and handing over", () => {
  test("whoever answers for the agent, or an operator, cancels; others do not; twice is once", async () => {
    await using test = await openTestApprovals();
    const { id, actionId } = await test.ask();
    await expect(test.approvals.cancel(id, test.person("cleo"), "no need")).rejects.toMatchObject({ code: "forbidden" });
    expect(await test.approvals.cancel(id, test.person("ada"), "no need")).toMatchObject({ state: "cancelled", endedReason: "no need" });
    expect((await test.approvals.cancel(id, test.person("ada"), "no need")).state).toBe("cancelled");
    expect(await test.ended(actionId)).toMatchObject({ state: "cancelled", reason: "no need", actor: "party:ada" });
    await expect(test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "approve"))).rejects.toMatchObject({
      code: "approval-cancelled",
    });
  });

  test("a grant that has not been used can be called off, a used one not", async () => {
    await using test = await openTestApprovals();
    const [first, second] = [await test.ask(), await test.ask()];
    for (const { id } of [first, second]) await test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "approve"));
    await test.approvals.cancel(first.id, test.person("ada"), "changed our minds");
    expect(await test.database.transaction((transaction) => test.approvals.consume(transaction, first.id, testDigest))).toBe(false);
    expect(await test.database.transaction((transaction) => test.approvals.consume(transaction, second.id, testDigest))).toBe(true);
    await expect(test.approvals.cancel(second.id, test.person("ada"), "too late")).rejects.toMatchObject({ code: "approval-decided" });
  });

  test("a vote is handed to somebody outside the team, who then decides", async () => {
    await using test = await openTestApprovals();
    const { id } = await test.ask();
    await expect(test.approvals.delegate(id, test.person("ben"), "ada")).rejects.toMatchObject({ code: "approval-not-eligible" });
    const view = await test.approvals.delegate(id, test.person("ben"), "fay");
    expect(view).toMatchObject({
      delegations: [{ from: "ben", to: "fay" }],
      teams: [{ eligible: ["cleo", "fay"] }],
      you: { mayVote: false },
    });
    expect((await test.approvals.vote(id, test.person("fay"), voteOn({ digest: testDigest }, "approve"))).state).toBe("granted");
    const entries = await test.entries(id);
    expect(entries.filter(({ type }) => type === "approval-delegated")).toMatchObject([
      { actor: "party:ben", data: { from: "ben", to: "fay" } },
    ]);
    expect(entries.filter(({ type }) => type === "notification-recorded").at(-1)).toMatchObject({ data: { to: ["fay"] } });
  });

  test("the end of a run calls off what it waits for", async () => {
    await using test = await openTestApprovals();
    const runId = `run_${"1".repeat(32)}` as Id<"run">;
    const mine = await test.ask({ request: { runId } });
    const other = await test.ask();
    await test.database.transaction((transaction) =>
      test.approvals.withdraw(transaction, runId, { reason: "The run has ended.", actor: "service:runs", at: new Date(test.clock.now) }),
    );
    expect(await test.ended(mine.actionId)).toMatchObject({ state: "cancelled", reason: "The run has ended." });
    expect(await test.ended(other.actionId)).toBe(null);
  });

  test("a grant that policy no longer lets run is stale", async () => {
    await using test = await openTestApprovals();
    const { id } = await test.ask();
    await test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "approve"));
    await test.database.transaction((transaction) => test.approvals.markStale(transaction, id, "a stop was added"));
    expect(await test.approvals.get(id, test.person("ben"))).toMatchObject({ state: "stale", endedReason: "a stop was added" });
    expect(await test.database.transaction((transaction) => test.approvals.consume(transaction, id, testDigest))).toBe(false);
  });
});

describe("[CTL-30][RUN-09] time", () => {
  test("what expired while no server ran is ended by the next one", async () => {
    await using test = await openTestApprovals();
    const { id, actionId } = await test.ask();
    test.clock.now += 4 * hour;
    // Before any clock has come to it, it is shown as what it is, and cannot be decided.
    expect((await test.approvals.get(id, test.person("ben"))).state).toBe("expired");
    const there = test.another();
    const clock = startCatchUpClock({ catchUp: (onError) => there.catchUp(onError), everyMs: 10, onError: unexpected });
    while ((await test.ended(actionId)) === null) await sleep(10);
    await clock.stop();
    expect(await test.ended(actionId)).toEqual({ state: "expired", reason: "Nobody decided in time.", actor: "service:approvals" });
    expect((await test.entries(id)).at(-1)?.type).toBe("approval-expired");
  });

  test("a vote that comes too late expires it there and then", async () => {
    await using test = await openTestApprovals();
    const { id, actionId } = await test.ask();
    test.clock.now += 4 * hour;
    await expect(test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "approve"))).rejects.toMatchObject({
      code: "approval-expired",
    });
    expect(await test.ended(actionId)).toMatchObject({ state: "expired" });
  });

  test("the next team is asked when nobody has answered, and told", async () => {
    await using test = await openTestApprovals();
    const { id } = await test.ask();
    test.clock.now += hour - 1;
    expect(await test.approvals.catchUp(unexpected)).toBe(0);
    test.clock.now += 1;
    expect(await test.approvals.catchUp(unexpected)).toBe(1);
    expect(await test.approvals.catchUp(unexpected)).toBe(0);
    const view = await test.approvals.get(id, test.person("emil"));
    expect(view).toMatchObject({ teams: [{ escalatedTo: ["board"], eligible: ["ben", "cleo", "emil"] }], you: { mayVote: true } });
    expect((await test.entries(id)).slice(2)).toMatchObject([
      { type: "approval-escalated", data: { team: "support-lead", from: "support-lead", to: "board" } },
      { type: "notification-recorded", data: { about: "approval-escalated", to: ["emil"] } },
    ]);
  });

  test("a grant outlives the server that took it, and does not outlive its use by much", async () => {
    await using test = await openTestApprovals();
    const { id, actionId } = await test.ask();
    test.clock.now += 4 * hour - 1;
    await test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "approve"));
    const restarted = test.another();
    expect(await restarted.granted(10)).toHaveLength(1);
    test.clock.now += hour / 4;
    expect(await restarted.granted(10)).toEqual([]);
    expect(await test.database.transaction((transaction) => restarted.consume(transaction, id, testDigest))).toBe(false);
    expect(await restarted.catchUp(unexpected)).toBe(1);
    expect(await test.ended(actionId)).toMatchObject({ state: "expired", reason: "The approval was not used in time." });
  });

  test("one request that cannot be advanced does not keep the others", async () => {
    await using test = await openTestApprovals();
    const [first, second] = [await test.ask(), await test.ask()];
    await test.superuser.query(
      `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
       CREATE TRIGGER no BEFORE UPDATE ON approval FOR EACH ROW WHEN (OLD.id = '${first.id}') EXECUTE FUNCTION no()`,
    );
    test.clock.now += 4 * hour;
    const failed: string[] = [];
    expect(await test.approvals.catchUp((_error, id) => failed.push(id))).toBe(1);
    expect(failed).toEqual([first.id]);
    expect(await test.ended(second.actionId)).toMatchObject({ state: "expired" });
  });
});

describe("[CTL-26] many at once", () => {
  test("64 uses of one grant: exactly one gets it, and it is recorded once", async () => {
    await using test = await openTestApprovals();
    const { id } = await test.ask();
    await test.approvals.vote(id, test.person("ben"), voteOn({ digest: testDigest }, "approve"));
    const servers = [test.approvals, test.another()];
    const used = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        test.database.transaction(async (transaction) => servers[index % 2]?.consume(transaction, id, testDigest)),
      ),
    );
    expect(used.filter(Boolean)).toHaveLength(1);
    expect(types(await test.entries(id)).filter((type) => type === "approval-consumed")).toHaveLength(1);
  });

  test("64 votes of yes and no, cancellations and the clock: one end, one record of it, and at most one use", async () => {
    await using test = await openTestApprovals();
    for (let round = 0; round < 5; round += 1) {
      const { id, actionId } = await test.ask({ teams: [{ team: "pair", gates: [] }] });
      const people = ["ada", "ben", "cleo", "emil"].map((party) => test.person(party));
      await Promise.all(
        Array.from({ length: 64 }, async (_, index) => {
          const person = people[index % 4] ?? test.person("ben");
          if (index === 40) return void (await test.approvals.cancel(id, test.person("ada"), "race").catch(() => {}));
          if (index % 5 === 0)
            return void (await test.database.transaction((transaction) => test.approvals.consume(transaction, id, testDigest)));
          const word = (index + round) % 7 === 0 ? "deny" : "approve";
          await test.approvals.vote(id, person, voteOn({ digest: testDigest }, word)).catch(() => {});
        }),
      );
      const ends = ["approval-granted", "approval-denied", "approval-cancelled", "approval-consumed"];
      const recorded = types(await test.entries(id)).filter((type) => ends.includes(type));
      const { state } = await test.approvals.get(id, test.person("ada"));
      const allowed: Record<string, string[][]> = {
        granted: [["approval-granted"]],
        denied: [["approval-denied"]],
        cancelled: [["approval-cancelled"], ["approval-granted", "approval-cancelled"]],
        consumed: [["approval-granted", "approval-consumed"]],
      };
      expect(allowed[state]).toContainEqual(recorded);
      expect((await test.ended(actionId)) === null).toBe(state === "granted" || state === "consumed");
    }
  });
});

test("lists are newest first, by state, in pages", async () => {
  await using test = await openTestApprovals();
  const ids: string[] = [];
  for (let index = 0; index < 5; index += 1) {
    ids.unshift((await test.ask()).id);
    await sleep(2);
  }
  const denied = ids[1] as Id<"approval">;
  await test.approvals.vote(denied, test.person("ben"), voteOn({ digest: testDigest }, "deny"));
  const list = (more: object) =>
    test.approvals.list(test.person("ben"), { states: null, before: null, limit: 50, withArguments: false, ...more });
  expect((await list({})).items.map(({ id }) => id)).toEqual(ids);
  expect((await list({ states: ["denied"] })).items.map(({ id }) => id)).toEqual([denied]);
  const first = await list({ limit: 2 });
  expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  expect(first.next).not.toBe(null);
  expect((await list({ limit: 3, before: ids[1] })).items.map(({ id }) => id)).toEqual(ids.slice(2));
});
