import { expect, test } from "vitest";
import { buildRegistry } from "../registry/registry.testing.ts";
import { sweep, sweptAssets } from "./sweep.ts";
import type { SweepFacts } from "./sweep.ts";

const day = 86_400_000;
const registry = buildRegistry();
const facts: SweepFacts = { now: 1_000 * day, secretIssuedAt: new Map(), usedLately: new Set(), since: null, uncontained: new Set() };

function checksOf(more: Partial<SweepFacts> = {}): string[] {
  return sweep(registry, { ...facts, ...more }).findings.map(({ check, name }) => `${check} ${name}`);
}

const ordinary = checksOf();

test.each<{ name: string; more: Partial<SweepFacts>; finds: string }>([
  { name: "an old secret", more: { secretIssuedAt: new Map([["support-agent", 900 * day]]) }, finds: "secret-age support-agent" },
  { name: "a grant that nobody used", more: { since: 0 }, finds: "unused-grant support-agent" },
  { name: "a program that is not contained", more: { uncontained: new Set(["helpdesk"]) }, finds: "containment helpdesk" },
])("[AUD-16] $name is found, and only then", ({ more, finds }) => {
  expect(ordinary).not.toContain(finds);
  expect(checksOf(more)).toContain(finds);
});

test("[AUD-16] an agent that is suspended is the first thing that is said", () => {
  const suspended = { code: "no-accountable-human" as const, reason: "ada has left" };
  const agents = new Map([...registry.agents].map(([name, agent]) => [name, { ...agent, suspended }]));
  expect(sweep({ ...registry, agents }, facts).findings[0]).toMatchObject({
    level: "high",
    check: "accountable",
    what: "it is suspended: ada has left",
  });
});

test("[AUD-16] a team that cannot say yes is urgent, one without a spare is not", () => {
  const withMembers = (members: string[], quorum: number) => {
    const teams = new Map(
      [...registry.teams].map(([name, team]) => [name, { ...team, members, approval: { expiresAfter: "PT4H", ...team.approval, quorum } }]),
    );
    return sweep({ ...registry, teams }, facts).findings.filter(({ kind }) => kind === "team");
  };
  const [one = "nobody"] = [...registry.parties.values()].filter(({ active }) => active).map(({ name }) => name);
  expect(withMembers([one], 2)[0]).toMatchObject({ level: "high", check: "approver-quorum" });
  expect(withMembers([one], 1)[0]).toMatchObject({ level: "medium", check: "approver-spare" });
  expect(withMembers(["has-left"], 1)[0]).toMatchObject({ level: "high", check: "approver-quorum" });
});

test("[AUD-16] a young secret and a grant that is used are no findings, and what is worst comes first", () => {
  const usedLately = new Set([...registry.agents.values()].flatMap(({ spec }) => spec.tools.map((tool) => `${spec.name} ${tool}`)));
  expect(checksOf({ secretIssuedAt: new Map([["support-agent", 999 * day]]), usedLately, since: 0 })).toEqual(ordinary);
  const order = ["high", "medium", "low"];
  const levels = sweep(registry, { ...facts, uncontained: new Set(["helpdesk"]), since: 0 }).findings.map(({ level }) =>
    order.indexOf(level),
  );
  expect(levels).toEqual(levels.toSorted((left, right) => left - right));
  expect(levels[0]).toBe(0);
});

test("[AUD-16] every asset is looked at, and every finding says what to do", () => {
  const { findings, checks } = sweep(registry, { ...facts, since: 0 });
  expect(checks).toBeGreaterThan(registry.tools.size * 3 + registry.agents.size * 5);
  for (const { what, todo } of findings) expect([what, todo]).not.toContain("");
  expect(sweptAssets(registry)).toMatchObject({ tools: registry.tools.size, agents: registry.agents.size });
});
