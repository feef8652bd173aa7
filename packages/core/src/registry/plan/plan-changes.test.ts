import { createHash } from "node:crypto";
import { planSchema } from "@remit/contract";
import type { Json, Plan } from "@remit/contract";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { composeRegistry } from "../compose-registry.ts";
import type { RegistryParts } from "../compose-registry.ts";
import { assetName } from "../registry-documents.ts";
import { buildRegistry } from "../registry.testing.ts";
import type { RegistryOverrides } from "../registry.testing.ts";
import type { ToolPin } from "../registry.ts";
import { asJson } from "../version-digest.ts";
import { planChanges } from "./plan-changes.ts";

const hash = (text: string) => createHash("sha256").update(text).digest("hex");
const diffText = (file: string, before: string, after: string) => `${file}: ${before.length} -> ${after.length}`;

const prompt = "agents/support-agent.md";

/** The default registry taken apart, so that it can be put together with something changed and true digests. */
function partsOf(overrides: RegistryOverrides = {}): RegistryParts {
  const registry = buildRegistry({ ...overrides, agents: overrides.agents ?? [{ name: "support-agent", promptFile: prompt }] });
  const specs = <Spec>(map: ReadonlyMap<string, { spec: Spec }>) => [...map.values()].map(({ spec }) => spec);
  return {
    organisation: registry.organisation,
    assets: [
      ...registry.parties.values(),
      ...registry.teams.values(),
      ...registry.environments.values(),
      ...registry.upstreams.values(),
      ...specs(registry.tools),
      ...specs(registry.agents),
      ...specs(registry.policies),
      ...registry.queues.values(),
      ...registry.workflows.values(),
    ],
    policySources: new Map([...registry.policies].map(([name, { sources }]) => [name, sources])),
    prompts: new Map([[prompt, "Be polite."]]),
    pins: new Map([...registry.tools].map(([name, { state, pin }]) => [name, { state, pin }])),
  };
}

function plan(before: RegistryParts | null, after: RegistryParts): Plan {
  const made = planChanges(before && composeRegistry(before, hash), composeRegistry(after, hash), [], { hash, diffText });
  return planSchema.parse(made);
}

function say(before: RegistryOverrides, after: RegistryOverrides): string[] {
  return plan(partsOf(before), partsOf(after)).changes.map(({ group, effect, summary }) => `${group} ${effect}: ${summary}`);
}

const parts = partsOf();

test("[CTL-12] what is planned from a registry to itself is nothing, in whatever order its documents come", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([...parts.assets], { minLength: parts.assets.length }), (assets) => {
      const same = plan(parts, { ...parts, assets });
      expect(same.changes).toEqual([]);
      expect(same.before).toBe(same.after);
    }),
  );
});

/** Every way to change one value of a document. */
function variants(value: Json): Json[] {
  if (typeof value === "string") return [`${value}x`];
  if (typeof value === "number") return [value === 0 ? 1 : value - 1];
  if (typeof value === "boolean") return [!value];
  if (value === null) return [];
  if (Array.isArray(value))
    return [[...value, "added"], ...(value.length > 0 ? [value.slice(1)] : []), ...(value.length > 1 ? [value.toReversed()] : [])];
  return Object.keys(value).flatMap((key) => variants(value[key] ?? null).map((variant) => ({ ...value, [key]: variant })));
}

const edits = parts.assets.flatMap((asset, position) =>
  Object.keys(asset)
    .filter((key) => !["kind", "name", "upstream"].includes(key))
    .flatMap((key) =>
      variants(asJson(asset)[key] ?? null).map((value) => ({
        asset,
        key,
        position,
        spec: { ...asset, [key]: value },
      })),
    ),
);

test(`[CTL-12] no change of a document is left out of a plan (${edits.length} edits, each alone)`, () => {
  expect(edits.length).toBeGreaterThan(50);
  for (const { asset, key, position, spec } of edits) {
    const after = { ...parts, assets: parts.assets.with(position, spec) };
    const { changes } = plan(parts, after);
    const about = changes.filter((item) => item.kind === asset.kind && item.name === assetName(asset));
    expect(about, `${asset.kind} ${assetName(asset)}: ${key}`).not.toEqual([]);
    expect(plan(parts, after)).toEqual(plan(parts, after));
    expect(plan(after, parts).changes).not.toEqual([]);
  }
});

test("[CTL-12] nothing that comes or goes is left out of a plan, and every plan has a digest of its own", () => {
  const digests = new Set<string>();
  for (const asset of parts.assets) {
    const without = { ...parts, assets: parts.assets.filter((other) => other !== asset) };
    const removed = plan(parts, without);
    const added = plan(without, parts);
    expect(removed.changes).toContainEqual(expect.objectContaining({ action: "remove", kind: asset.kind, name: assetName(asset) }));
    expect(added.changes).toContainEqual(expect.objectContaining({ action: "add", kind: asset.kind, name: assetName(asset) }));
    digests.add(removed.digest).add(added.digest);
  }
  expect(digests.size).toBe(parts.assets.length * 2);
});

test("[DLV-11] texts and pins are part of a plan", () => {
  const [tool] = [...parts.pins.keys()];
  const sources = [{ file: "policies/customer_support_tier1_v3/grants.cedar", text: "permit (principal, action, resource); // more" }];
  const pin: ToolPin = { description: "Another", inputSchema: { type: "object" }, outputSchema: null, digest: "0".repeat(64) };
  for (const after of [
    { ...parts, prompts: new Map([[prompt, "Be rude."]]) },
    { ...parts, policySources: new Map([["customer_support_tier1_v3", sources]]) },
    { ...parts, pins: new Map(parts.pins).set(tool ?? "", { state: "changed", pin }) },
    { ...parts, organisation: { ...parts.organisation, timeZone: "UTC" } },
    { ...parts, organisation: { ...parts.organisation, guard: "customer_support_tier1_v3" } },
  ]) {
    expect(plan(parts, after).changes).not.toEqual([]);
  }
});

test("[CTL-12] permissions come first, and of those what stops and what widens", () => {
  const { changes } = plan(null, parts);
  const groups = changes.map(({ group }) => group);
  expect(groups.slice(groups.lastIndexOf("permissions") + 1)).not.toContain("permissions");
  expect(changes[0]).toMatchObject({ kind: "agent", effect: "widens" });
});

test.each<{ name: string; before?: RegistryOverrides; after: RegistryOverrides; says: string[] }>([
  {
    name: "a higher tier",
    after: { agents: [{ name: "support-agent", promptFile: prompt, tier: 3 }] },
    says: ["permissions widens: support-agent goes up from tier 2 (act outside production) to tier 3 (act in production)."],
  },
  {
    name: "a tool less, another environment",
    after: {
      agents: [{ name: "support-agent", promptFile: prompt, tools: ["helpdesk__tickets.read"], environments: ["dev", "production"] }],
    },
    says: [
      "permissions widens: support-agent may now work in production.",
      "permissions narrows: support-agent loses helpdesk__tickets.draft_reply, helpdesk__send_email and helpdesk__refund.create.",
      "permissions narrows: support-agent may no longer work in staging.",
    ],
  },
  {
    name: "another person who answers",
    after: { agents: [{ name: "support-agent", promptFile: prompt, accountable: "ben" }] },
    says: ["permissions neutral: ben answers for support-agent from now on, instead of ada."],
  },
  {
    name: "a tool that counts as less than it was",
    after: { tools: [{ name: "send_email", effect: "propose" }] },
    says: ["permissions widens: helpdesk__send_email counts as a tool that proposes (before: writes); lower tiers may use it."],
  },
  {
    name: "a tool that has drifted",
    after: { tools: [{ name: "send_email", state: "changed" }] },
    says: [
      "permissions stops: helpdesk__send_email IS BLOCKED: its upstream now says something else. See it with remit tools diff and accept it with remit tools accept.",
    ],
  },
  {
    name: "a smaller quorum and another member",
    before: { teams: [{ name: "finance", approval: { quorum: 2, expiresAfter: "PT8H" } }] },
    after: { teams: [{ name: "finance", members: ["dana", "ben"], approval: { quorum: 1, expiresAfter: "PT8H" } }] },
    says: [
      "permissions widens: ben joins finance and may approve in its name.",
      "permissions widens: finance approves when one member says yes (before: 2).",
      "permissions narrows: ada leaves finance and may no longer approve in its name.",
    ],
  },
  {
    name: "a new admin",
    after: { parties: [{ name: "ben", roles: ["operator", "admin"] }] },
    says: ["permissions widens: ben becomes admin."],
  },
])("[CTL-12][CTL-16] in words: $name", ({ before = {}, after, says }) => {
  expect(say(before, after)).toEqual(says);
});

test("what an upstream's environment holds is not shown", () => {
  const transport = (env: Record<string, string>) => ({
    upstreams: [{ name: "helpdesk", transport: { type: "stdio" as const, command: "node", args: [], env, passEnv: [] } }],
  });
  const made = plan(partsOf(transport({ TOKEN: "old-secret" })), partsOf(transport({ TOKEN: "new-secret" })));
  expect(made.changes[0]?.details).toEqual([{ pointer: "/transport/env/TOKEN", before: "(not shown)", after: "(not shown)" }]);
  expect(JSON.stringify(made)).not.toContain("secret");
});
