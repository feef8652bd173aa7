import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clerk, serveAgent } from "../agent/served-agent.testing.ts";

test("[AUD-03][AUD-09][AUD-10][AUD-16][OBS-16] an auditor's questions are answered in words and as data", async () => {
  const served = await serveAgent("clerk", clerk);
  try {
    const ask = async (...args: string[]) => {
      const answer = await served.remit(["audit", ...args, "--context", "ada"]);
      expect(answer.err).not.toContain("Error");
      return { ...answer, data: args.includes("--json") ? (JSON.parse(answer.out) as Record<string, unknown>) : {} };
    };
    expect((await ask("accesses", "--record", "T-1")).out).toContain("Nothing found in 0 actions.");
    expect((await ask("approvals")).out).toContain("Nothing was asked.");
    // What was recorded just now has its place in the order a moment later.
    const patience = { timeout: 60_000 };
    await expect
      .poll(async () => (await ask("exceptions")).out, patience)
      .toMatch(/break-glass[^]*A login link for ada was made with the machine key\./);
    await expect.poll(async () => (await ask("permissions")).out, patience).toContain("New agent clerk: Files things.");
    await expect.poll(async () => (await ask("tokens")).out, patience).toMatch(/clerk\s+sec_/);
    expect((await ask("permissions", "--until", "2020-01-01T00:00:00Z")).out).toContain("Nothing was applied in this range.");
    expect((await ask("exceptions", "--json")).data).toMatchObject({ population: { first: 0 }, truncated: false });
    expect((await ask("tokens", "--json")).data).toMatchObject({ tokens: { limitSeconds: 300 } });
    const sweep = await ask("sweep");
    expect(sweep.out).toContain("two-people");
    expect(sweep.exit).toBe(sweep.out.includes("high ") ? 1 : 0);
    expect((await ask("halts")).out).toContain("Nothing was halted.");
    const wrong = await served.remit(["audit", "tokens", "--since", "yesterday", "--context", "ada"]);
    expect(wrong.exit).toBe(2);
    expect(wrong.err).toContain("since");

    const agreed = await ask("reconcile");
    expect([agreed.exit, agreed.out]).toEqual([0, expect.stringContaining("They agree.")]);
    const action = { key: "remit.action.id", value: { stringValue: "act_made_up" } };
    const span = { traceId: "0".repeat(31) + "1", attributes: [action, { key: "remit.outcome", value: { stringValue: "failed" } }] };
    await writeFile(join(served.folder, "spans.json"), JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
    const differs = await ask("reconcile", "--spans", "spans.json", "--json");
    expect([differs.exit, differs.data]).toMatchObject([1, { agrees: false, unfounded: [{ actionId: "act_made_up", end: "failed" }] }]);
    const noRatio = await served.remit(["audit", "reconcile", "--sampled", "often", "--context", "ada"]);
    expect([noRatio.exit, noRatio.err]).toEqual([2, expect.stringContaining("--sampled is a ratio")]);
  } finally {
    await served.stop();
  }
});
