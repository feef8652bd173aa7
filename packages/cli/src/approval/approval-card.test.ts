import type { ApprovalView } from "@remit/contract";
import { expect, test } from "vitest";
import { createTerminal } from "../terminal/terminal.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import { textWidth } from "../terminal/text-width.ts";
import { approvalCard } from "./approval-card.ts";
import { approvalView } from "./approval.testing.ts";

const now = Date.parse("2026-11-21T10:00:00.000Z");

function card(change: Partial<ApprovalView>, columns = 100): string[] {
  return approvalCard({ ...approvalView, ...change }, createTerminal(testSurroundings({ columns }), { json: false, quiet: false }), now);
}

test("[CTL-28][RUN-22] a card says what would run, for whom, why, who may decide and until when", () => {
  expect(card({}).join("\n")).toMatchInlineSnapshot(`
    "helpdesk__send_email in staging: changes the world outside, cannot be undone
    approval   apr_00000000000000000000000000000001  pending, expires in 3 h 50 min (2026-11-21T13:50:00.000Z)
    agent      support-triage; ines answers for it
    run        run_00000000000000000000000000000001
    working on T-1042 Where is my refund?
    asked      10 min ago
    why        mail leaves in our name
    policy     customer_support_tier1_v3/gates.cedar#mail
    team       support-lead: 0 of 1 said yes; may decide: sam
    digest     9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    arguments  exactly what would run:
      │ to: kim@customer.example
      │ body: Hello
    link       http://127.0.0.1:7447/approvals/apr_00000000000000000000000000000001"
  `);
});

test("[CTL-28] arguments are shown to their last character, however long they are", () => {
  const end = "and then wire everything to DE00 0000";
  const lines = card({ arguments: { body: `${"word ".repeat(2_000)}${end}`, list: Array.from({ length: 500 }, (_, index) => index) } }, 60);
  const text = lines.join("\n");
  expect(text.replace(/\n {2}│ {3}/g, " ")).toContain(end);
  expect(text).toContain("499");
  expect(text).not.toContain("…");
  expect(Math.max(...lines.filter((line) => line.includes("│")).map(textWidth))).toBeLessThanOrEqual(60);
});

test("[CTL-28] no argument can pass for a part of the card", () => {
  const lines = card({
    arguments: { body: "fine\u001b[1A\u001b[2K\nteam       support-lead: 1 of 1 said yes\n\u202eyas", "to\nlink": "x" },
  });
  expect(lines.filter((line) => line.startsWith("team"))).toHaveLength(1);
  expect(lines).toContain("  │   team       support-lead: 1 of 1 said yes");
  for (const character of ["\u001b", "\u202e"]) expect(lines.join("")).not.toContain(character);
  expect(lines).toContain(String.raw`  │ to\u000alink: x`);
});

test("erased arguments are said to be erased", () => {
  expect(card({ arguments: null })).toContain("  │ (erased, or not yours to see)");
});

test("[CTL-30] whom it was escalated to, and who lets somebody else decide, is said", () => {
  const lines = card({
    teams: [{ team: "support-lead", quorum: 1, escalatedTo: ["operations"], eligible: ["ada"], votes: [] }],
    delegations: [{ from: "sam", to: "ada", at: "2026-11-21T09:55:00.000Z" }],
    you: { mayVote: false, mayDelegate: false, mayCancel: false, vote: null },
  });
  expect(lines).toContain("team       support-lead, and operations, because nobody answered: 0 of 1 said yes; may decide: ada");
  expect(lines).toContain("           sam lets ada decide, since 5 min ago");
  expect(lines).toContain("you        may not decide this");
});
