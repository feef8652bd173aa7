import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ApprovalState } from "@remit/contract";
import { buildRegistry } from "../registry/registry.testing.ts";
import type { Approval, People } from "./approval.ts";
import { openApproval } from "./approval-request.ts";
import { castVote } from "./approval-vote.ts";
import type { Ballot } from "./approval-vote.ts";
import { delegateVote } from "./delegation.ts";
import { eligible } from "./eligibility.ts";
import { escalate, nextEscalation } from "./escalation.ts";

const minute = 60_000;
const start = Date.UTC(2026, 10, 21, 9);
const digest = "d".repeat(64);

/** `ada` answers for the agent. `support` needs two of ben, cleo and ada; `finance` needs one of dana; `board` is where support escalates. */
const people = buildRegistry({
  parties: [
    ...["ada", "ben", "cleo", "dana", "emil", "fay"].map((name) => ({ name })),
    { name: "left", active: false },
    { name: "robot", type: "service" as const },
  ],
  teams: [
    {
      name: "support",
      members: ["ada", "ben", "cleo", "left", "robot"],
      approval: { quorum: 2, expiresAfter: "PT1H", escalateTo: "board", escalateAfter: "PT10M" },
    },
    { name: "finance", members: ["dana", "ada"], approval: { quorum: 1, expiresAfter: "PT8H" } },
    { name: "board", members: ["emil"], approval: { quorum: 1, expiresAfter: "PT1H", escalateTo: "chair", escalateAfter: "PT5M" } },
    { name: "chair", members: ["fay"], approval: { quorum: 1, expiresAfter: "PT1H", escalateTo: "support", escalateAfter: "PT5M" } },
    { name: "owner-only", members: ["ada", "left"], approval: { quorum: 1, expiresAfter: "PT1H" } },
    { name: "thin", members: ["ben"], approval: { quorum: 2, expiresAfter: "PT1H" } },
    { name: "mute", members: ["ben"], approval: undefined },
  ],
});

function request(...teams: string[]): Approval {
  const opened = openApproval(
    { accountable: "ada", approvals: teams.map((team) => ({ team, gates: [`ask-${team}`] })), requestedAt: start },
    people,
  );
  if (opened.type === "refused") throw new Error(opened.reason);
  const { requirements, expiresAt } = opened;
  const decided = { votes: [], delegations: [] };
  return { ...decided, state: "pending", digest, accountable: "ada", effect: "write", requirements, requestedAt: start, expiresAt };
}

const ballot = (party: string, vote: Ballot["vote"], more: Partial<Ballot> = {}): Ballot => ({
  party,
  vote,
  sameAs: null,
  digest,
  comment: null,
  ...more,
});

type Step = Ballot | { from: string; to: string };

/** Where a request ends after these steps, and what the last of them was answered with. */
function play(
  approval: Approval,
  steps: readonly Step[],
  now = start,
  registry: People = people,
): { state: ApprovalState; last: string; approval: Approval } {
  let current = approval;
  let last = "";
  for (const step of steps) {
    const result = "vote" in step ? castVote(current, step, registry, now) : delegateVote(current, step, registry, now);
    if ("approval" in result) current = result.approval;
    last = result.type === "refused" ? result.code : result.type;
  }
  return { state: current.state, last, approval: current };
}

describe("[CTL-26] one request for two of the support team", () => {
  const rows: [string, Step[], ApprovalState, string][] = [
    ["two members say yes", [ballot("ben", "approve"), ballot("cleo", "approve")], "granted", "recorded"],
    ["one yes is not enough", [ballot("ben", "approve")], "pending", "recorded"],
    ["one no denies", [ballot("ben", "approve"), ballot("cleo", "deny")], "denied", "recorded"],
    ["the accountable human and another say yes", [ballot("ada", "approve"), ballot("ben", "approve")], "granted", "recorded"],
    ["the accountable human may deny", [ballot("ada", "deny")], "denied", "recorded"],
    ["the same yes again changes nothing", [ballot("ben", "approve"), ballot("ben", "approve")], "pending", "repeated"],
    ["a second, other word of the same person", [ballot("ben", "approve"), ballot("ben", "deny")], "pending", "approval-decided"],
    ["a word after the grant", [ballot("ben", "approve"), ballot("cleo", "approve"), ballot("ada", "deny")], "granted", "approval-decided"],
    ["a word after the denial", [ballot("ben", "deny"), ballot("cleo", "approve")], "denied", "approval-decided"],
    [
      "the same word again after the grant",
      [ballot("ben", "approve"), ballot("cleo", "approve"), ballot("ben", "approve")],
      "granted",
      "repeated",
    ],
    ["somebody of another team", [ballot("dana", "approve")], "pending", "approval-not-eligible"],
    ["somebody who has left", [ballot("left", "approve")], "pending", "approval-not-eligible"],
    ["a service", [ballot("robot", "approve")], "pending", "approval-not-eligible"],
    ["nobody of that name", [ballot("constructor", "approve")], "pending", "approval-not-eligible"],
    ["another digest than was shown", [ballot("ben", "approve", { digest: "e".repeat(64) })], "pending", "conflict"],
    ["a login made by the other approver", [ballot("ben", "approve"), ballot("cleo", "approve", { sameAs: "ben" })], "pending", "recorded"],
    [
      "a login made by the accountable human",
      [ballot("ada", "approve"), ballot("ben", "approve", { sameAs: "ada" })],
      "pending",
      "recorded",
    ],
    [
      "a third, own person besides",
      [ballot("ada", "approve"), ballot("ben", "approve", { sameAs: "ada" }), ballot("cleo", "approve")],
      "granted",
      "recorded",
    ],
    [
      "a delegate in place of a member",
      [{ from: "cleo", to: "fay" }, ballot("fay", "approve"), ballot("ben", "approve")],
      "granted",
      "recorded",
    ],
    ["whoever delegated", [{ from: "cleo", to: "fay" }, ballot("cleo", "approve")], "pending", "approval-not-eligible"],
    ["a delegate's delegate", [{ from: "cleo", to: "fay" }, { from: "fay", to: "emil" }, ballot("emil", "deny")], "denied", "recorded"],
    ["delegating to the accountable human", [{ from: "ben", to: "ada" }], "pending", "approval-not-eligible"],
    ["delegating to a member", [{ from: "ben", to: "cleo" }], "pending", "invalid-request"],
    ["delegating to somebody who has left", [{ from: "ben", to: "left" }], "pending", "invalid-request"],
    ["delegating to a service", [{ from: "ben", to: "robot" }], "pending", "invalid-request"],
    [
      "delegating back",
      [
        { from: "ben", to: "fay" },
        { from: "fay", to: "ben" },
      ],
      "pending",
      "invalid-request",
    ],
    ["delegating after voting", [ballot("ben", "approve"), { from: "ben", to: "fay" }], "pending", "approval-decided"],
    ["delegating what one has not", [{ from: "dana", to: "fay" }], "pending", "approval-not-eligible"],
    [
      "two delegating to one, so that two are left with one other",
      [
        { from: "ben", to: "fay" },
        { from: "cleo", to: "fay" },
      ],
      "pending",
      "invalid-request",
    ],
    [
      "delegating twice to the same",
      [
        { from: "ben", to: "fay" },
        { from: "ben", to: "fay" },
      ],
      "pending",
      "repeated",
    ],
  ];
  test.each(rows)("%s", (_name, steps, state, last) => {
    expect(play(request("support"), steps)).toMatchObject({ state, last });
  });
});

describe("[CTL-26] several teams", () => {
  test("all of them must agree; one person's word counts in each team of his", () => {
    const both = request("support", "finance");
    expect(play(both, [ballot("ben", "approve"), ballot("cleo", "approve")]).state).toBe("pending");
    expect(play(both, [ballot("ben", "approve"), ballot("cleo", "approve"), ballot("dana", "approve")]).state).toBe("granted");
    expect(play(both, [ballot("dana", "deny")]).state).toBe("denied");
  });

  test("the accountable human is not the only yes in any of them", () => {
    const both = play(request("support", "finance"), [ballot("ben", "approve"), ballot("cleo", "approve"), ballot("ada", "approve")]);
    expect(both.state).toBe("pending");
    expect(play(both.approval, [ballot("dana", "approve")]).state).toBe("granted");
  });

  test("the shortest patience holds", () => {
    expect(request("finance").expiresAt).toBe(start + 480 * minute);
    expect(request("finance", "support").expiresAt).toBe(start + 60 * minute);
    const gate = { team: "finance", gates: ["large"], expiresAfter: "PT5M" };
    expect(openApproval({ accountable: "ada", approvals: [gate], requestedAt: start }, people)).toMatchObject({
      expiresAt: start + 5 * minute,
    });
  });
});

test("a yes of somebody who has left since does not count", () => {
  const after = buildRegistry({
    parties: ["ada", "ben", "cleo"].map((name) => ({ name, active: name !== "ben" })),
    teams: [{ name: "support", members: ["ada", "ben", "cleo"], approval: { quorum: 2, expiresAfter: "PT1H" } }],
  });
  const { approval } = play(request("support"), [ballot("ben", "approve")]);
  expect(play(approval, [ballot("cleo", "approve")], start, after).state).toBe("pending");
  expect(play(approval, [ballot("cleo", "approve"), ballot("ada", "approve")], start, after).state).toBe("granted");
});

test.each([
  ["owner-only", "only ada, who answers for the agent"],
  ["thin", "needs 2 active people"],
  ["mute", "cannot be asked"],
  ["nobody", "cannot be asked"],
])("a request that nobody could grant is refused: %s", (team, words) => {
  const opened = openApproval({ accountable: "ada", approvals: [{ team, gates: [] }], requestedAt: start }, people);
  expect(opened).toMatchObject({ type: "refused", code: "invalid-configuration", reason: expect.stringContaining(words) as string });
});

test("a request of no team is refused", () => {
  expect(openApproval({ accountable: "ada", approvals: [], requestedAt: start }, people).type).toBe("refused");
});

test("at its expiry to the millisecond a request takes no more votes", () => {
  const approval = request("support");
  expect(castVote(approval, ballot("ben", "approve"), people, approval.expiresAt - 1).type).toBe("recorded");
  expect(castVote(approval, ballot("ben", "approve"), people, approval.expiresAt)).toMatchObject({ code: "approval-expired" });
});

describe("[CTL-30] escalation", () => {
  const asked = (approval: Approval) => approval.requirements.flatMap((requirement) => requirement.asked.map(({ team }) => team));

  test("asks the next team when nobody has answered, whose members stand in", () => {
    const approval = request("support");
    expect(nextEscalation(approval, people)).toBe(start + 10 * minute);
    expect(asked(escalate(approval, people, start + 10 * minute - 1).approval)).toEqual(["support"]);
    const { approval: escalated, escalations } = escalate(approval, people, start + 10 * minute);
    expect(escalations).toEqual([{ team: "support", from: "support", to: "board" }]);
    expect(eligible(escalated, people)).toEqual(["ada", "ben", "cleo", "emil"]);
    expect(play(escalated, [ballot("emil", "approve"), ballot("ben", "approve")]).state).toBe("granted");
  });

  test("[RUN-09] goes on along the chain and ends where it would come back", () => {
    const { approval, escalations } = escalate(request("support"), people, start + 50 * minute);
    expect(asked(approval)).toEqual(["support", "board", "chair"]);
    expect(escalations).toHaveLength(2);
    expect(nextEscalation(approval, people)).toBe(null);
  });

  test("is not needed once somebody has answered, himself or by delegation", () => {
    expect(nextEscalation(play(request("support"), [ballot("ben", "approve")]).approval, people)).toBe(null);
    expect(nextEscalation(play(request("support"), [{ from: "ben", to: "fay" }, ballot("fay", "approve")]).approval, people)).toBe(null);
  });

  test("has a person of another required team answered, it still asks", () => {
    const approval = play(request("support", "finance"), [ballot("dana", "approve")]).approval;
    expect(nextEscalation(approval, people)).toBe(start + 10 * minute);
  });
});

const names = ["ada", "ben", "cleo", "dana", "emil", "fay", "left", "robot", "nobody"];
const party = fc.constantFrom(...names);
const step = fc.oneof(
  fc.record({
    party,
    sameAs: fc.option(party),
    vote: fc.constantFrom("approve" as const, "deny" as const),
    digest: fc.constant(digest),
    comment: fc.constant(null),
  }),
  fc.record({ from: party, to: party }),
);
const teams = fc.subarray(["support", "finance", "board"], { minLength: 1 });

describe("[CTL-26] laws, whatever people do", () => {
  test("a grant has, for every team, its quorum of different eligible people, one of whom is not the accountable human", () => {
    fc.assert(
      fc.property(teams, fc.array(step, { maxLength: 12 }), (teams, steps) => {
        const { approval } = play(request(...teams), steps);
        if (approval.state !== "granted") return;
        expect(approval.votes.every(({ vote }) => vote === "approve")).toBe(true);
        const yes = approval.votes.filter(({ party }) => eligible(approval, people).includes(party));
        expect(yes.some(({ party, sameAs }) => party !== "ada" && sameAs !== "ada")).toBe(true);
        for (const { quorum } of approval.requirements) expect(new Set(yes.map(({ party }) => party)).size).toBeGreaterThanOrEqual(quorum);
      }),
      { numRuns: 500 },
    );
  });

  test("a no that was recorded is final, and nobody has two votes", () => {
    fc.assert(
      fc.property(teams, fc.array(step, { maxLength: 12 }), fc.array(step, { maxLength: 6 }), (teams, first, then) => {
        const before = play(request(...teams), first).approval;
        const after = play(before, then).approval;
        if (before.votes.some(({ vote }) => vote === "deny")) expect(after).toEqual(before);
        if (before.state !== "pending") expect(after.state).toBe(before.state);
        expect(new Set(after.votes.map(({ party }) => party)).size).toBe(after.votes.length);
      }),
    );
  });

  test("a pending request can always still be granted by people who have not voted yet", () => {
    fc.assert(
      fc.property(teams, fc.array(fc.record({ from: party, to: party }), { maxLength: 12 }), (teams, delegations) => {
        const { approval } = play(request(...teams), delegations);
        expect(
          play(
            approval,
            eligible(approval, people).map((name) => ballot(name, "approve")),
          ).state,
        ).toBe("granted");
      }),
    );
  });

  test("escalating in many small steps asks the same teams as in one large step", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60 * minute }), { maxLength: 6 }), (moments) => {
        const order = [...moments].sort((left, right) => left - right);
        let stepwise = request("support");
        for (const at of order) stepwise = escalate(stepwise, people, start + at).approval;
        const once = escalate(request("support"), people, start + (order.at(-1) ?? 0)).approval;
        expect(stepwise).toEqual(once);
      }),
    );
  });
});
