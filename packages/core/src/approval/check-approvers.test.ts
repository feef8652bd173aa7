import { expect, test } from "vitest";
import type { RegistryOverrides } from "../registry/registry.testing.ts";
import { buildRegistry } from "../registry/registry.testing.ts";
import { checkApprovers } from "./check-approvers.ts";

const approval = (more: object = {}) => ({ quorum: 1, expiresAfter: "PT1H", ...more });
const gate = (team: string) => [{ file: "p.cedar", text: `@approval("${team}")\nforbid(principal, action, resource);` }];

const rows: [string, RegistryOverrides, { kind: string; name: string; words: string }[]][] = [
  ["the default registry is well", {}, []],
  [
    "nobody active in a team",
    { parties: [{ name: "ben", active: false }], teams: [{ name: "alone", members: ["ben"], approval: approval() }] },
    [{ kind: "team", name: "alone", words: "needs 1 active people to approve anything and has 0" }],
  ],
  [
    "a quorum that services cannot make up",
    { parties: [{ name: "bot", type: "service" }], teams: [{ name: "two", members: ["ben", "bot"], approval: approval({ quorum: 2 }) }] },
    [{ kind: "team", name: "two", words: "needs 2 active people" }],
  ],
  [
    "a workflow whose only approver answers for its agent",
    { teams: [{ name: "support-lead", members: ["ada"], approval: approval() }] },
    [{ kind: "workflow", name: "triage", words: 'nobody in "support-lead" could approve but ada' }],
  ],
  [
    "a gate whose only approver answers for the agent",
    {
      teams: [{ name: "owners", members: ["ada"], approval: approval() }],
      policies: [{ name: "gated", sources: gate("owners") }],
      agents: [{ name: "support-agent", policies: ["gated"] }],
    },
    [{ kind: "agent", name: "support-agent", words: 'nobody in "owners" could approve but ada' }],
  ],
  [
    "the same in the guard of the organisation",
    {
      organisation: { guard: "gated" },
      teams: [{ name: "owners", members: ["ada"], approval: approval() }],
      policies: [{ name: "gated", sources: gate("owners") }],
    },
    [{ kind: "agent", name: "support-agent", words: 'nobody in "owners" could approve but ada' }],
  ],
  [
    "[RUN-09] a circle, said of each team in it and of no other",
    {
      teams: [
        { name: "first", members: ["ben"], approval: approval({ escalateTo: "second", escalateAfter: "PT5M" }) },
        { name: "second", members: ["cleo"], approval: approval({ escalateTo: "first", escalateAfter: "PT5M" }) },
        { name: "outside", members: ["ben"], approval: approval({ escalateTo: "first", escalateAfter: "PT5M" }) },
      ],
    },
    [
      { kind: "team", name: "first", words: "first → second → first" },
      { kind: "team", name: "second", words: "second → first → second" },
    ],
  ],
  [
    "an escalation without a time",
    { teams: [{ name: "first", members: ["ben"], approval: approval({ escalateTo: "finance" }) }] },
    [{ kind: "team", name: "first", words: "say when with escalateAfter" }],
  ],
];

test.each(rows)("[CTL-37] %s", (_name, overrides, expected) => {
  const issues = checkApprovers(buildRegistry(overrides));
  expect(issues.map(({ kind, name }) => ({ kind, name }))).toEqual(expected.map(({ kind, name }) => ({ kind, name })));
  for (const [index, { words }] of expected.entries()) expect(issues[index]?.message).toContain(words);
});
