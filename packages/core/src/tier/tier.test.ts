import type { Effect, EnvironmentType, Tier } from "@remit/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { requiredTier, tierDenial } from "./tier.ts";

const effects: Effect[] = ["read", "propose", "write"];
const types: EnvironmentType[] = ["dev", "staging", "production"];
const tiers: Tier[] = [0, 1, 2, 3];

describe("tier ceiling", () => {
  const table: [Effect, EnvironmentType, Tier][] = [
    ["read", "dev", 0],
    ["read", "staging", 0],
    ["read", "production", 0],
    ["propose", "dev", 1],
    ["propose", "staging", 1],
    ["propose", "production", 1],
    ["write", "dev", 2],
    ["write", "staging", 2],
    ["write", "production", 3],
  ];
  test.each(table)("[CTL-08] %s in %s needs tier %i", (effect, environmentType, tier) => {
    expect(requiredTier(effect, environmentType)).toBe(tier);
  });

  test("[CTL-08] more tier never loses a permission", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...effects),
        fc.constantFrom(...types),
        fc.constantFrom(...tiers),
        fc.constantFrom(...tiers),
        (effect, environmentType, one, other) => {
          const ask = (tier: Tier) => tierDenial({ agent: "a", tier, tool: "t", effect, environment: "e", environmentType }) === null;
          const [low, high] = one <= other ? [one, other] : [other, one];
          return !ask(low) || ask(high);
        },
      ),
    );
  });

  test("[CTL-08] the refusal says what is missing", () => {
    const denial = tierDenial({
      agent: "triage",
      tier: 2,
      tool: "helpdesk__send_email",
      effect: "write",
      environment: "live",
      environmentType: "production",
    });
    expect(denial).toEqual({
      type: "deny",
      code: "tier-too-low",
      reason:
        "helpdesk__send_email has the effect write; in live (production) that needs tier 3 (act in production), and triage has tier 2 (act outside production).",
      policies: [],
      shadow: [],
    });
  });
});
