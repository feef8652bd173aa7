import { execFileSync } from "node:child_process";
import type { Story, StoryAction } from "@remit/contract";
import { expect, test } from "vitest";
import { trailersOf } from "./trailer-words.ts";

const action = (given: Partial<StoryAction>): StoryAction => ({
  id: "act_1",
  runId: "run_1",
  state: "succeeded",
  tool: "git__push",
  effect: "write",
  environment: "laptop",
  agent: "coder",
  version: "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
  accountable: "ada",
  policy: "coding",
  digest: null,
  traceId: null,
  startedAt: "2026-11-21T10:00:00.000Z",
  endedAt: null,
  arguments: null,
  result: null,
  decisions: [],
  approvals: [],
  outcome: null,
  entries: [],
  ...given,
});

const approval = {
  id: "apr_1",
  state: "consumed",
  requestedAt: null,
  reason: null,
  digest: null,
  requirements: [],
  votes: [{ by: "party:ben\nAgent: evil", vote: "approve", at: "2026-11-21T10:01:00.000Z", seq: 4, comment: null }],
  entries: [],
};

const story: Story = {
  id: "run_1",
  runs: ["run_1"],
  agents: ["coder"],
  traceIds: [],
  startedAt: "2026-11-21T10:00:00.000Z",
  endedAt: "2026-11-21T10:02:00.000Z",
  actions: [action({}), action({ id: "act_2", approvals: [approval] }), action({ id: "act_3", state: "denied" })],
  others: [],
  entries: { sequenced: 9, pending: 0 },
  truncated: false,
};

const anchor = { words: "UNANCHORED", organisations: [], quorum: 0, size: null, at: null };

test("[AUD-05] what git reads as trailers tells who acted, who answers, who approved and where the record is", () => {
  const lines = trailersOf(story, { size: 9, root: "AAAA", note: "", at: "", anchor }, "https://remit.example").map(
    ({ key, value }) => `${key}: ${value}`,
  );
  const message = `Mend the parser\n\nIt stumbled.\n\n${lines.join("\n")}\n`;
  const parsed = execFileSync("git", ["interpret-trailers", "--parse"], { input: message, encoding: "utf8" }).trim().split("\n");
  expect(parsed).toEqual(lines);
  expect(parsed).toEqual([
    "Agent: coder 4f53cda18c2b",
    "Agent-Accountable: ada",
    "Agent-Run: run_1",
    "Agent-Actions: 2 succeeded, 1 denied",
    expect.stringMatching(/^Agent-Approved-By: party:ben.*Agent: evil \(apr_1\)$/) as string,
    "Agent-Trace: https://remit.example/v1/audit/show/run_1",
    "Agent-Ledger: 9 AAAA",
  ]);
});
