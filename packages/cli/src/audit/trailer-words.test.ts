import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { testStory } from "./story.testing.ts";
import { trailersOf } from "./trailer-words.ts";

const anchor = { words: "UNANCHORED", organisations: [], quorum: 0, size: null, at: null };

test("[AUD-05] what git reads as trailers tells who acted, who answers, who approved and where the record is", () => {
  const lines = trailersOf(testStory, { size: 9, root: "AAAA", note: "", at: "", anchor }, "https://remit.example").map(
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
