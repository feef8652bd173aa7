import type { Decision, Missing, Tier } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { scopesMissing, whatIsMissing } from "./what-is-missing.ts";

const base = { policies: [], shadow: [] };
const allow: Decision = { ...base, type: "allow", obligations: [] };
const asks: Decision = { ...base, type: "require-approval", approvals: [{ team: "finance", gates: [] }], obligations: [] };
const noGrant: Decision = { ...base, type: "deny", code: "no-grant", reason: "" };
const stop: Decision = { ...base, type: "deny", code: "policy-stop", reason: "" };

const scope = (policy: string): Missing => ({ type: "scope", scopes: ["mcp", "env:staging", `policy:${policy}`] });
const approval: Missing = { type: "approval", teams: ["finance"] };

describe("everything that a refused call lacks is said at once", () => {
  test.each<[string, Tier, Tier, Record<string, Decision>, Missing[], string[] | null]>([
    ["the tier", 1, 2, { own: allow }, [{ type: "tier", has: 1, needs: 2 }], null],
    ["the tier and an approval", 1, 2, { own: asks }, [{ type: "tier", has: 1, needs: 2 }, approval], null],
    ["another policy of its own", 2, 2, { own: noGrant, wide: allow }, [scope("wide")], ["mcp", "env:staging", "policy:wide"]],
    [
      "another policy and an approval",
      2,
      2,
      { own: noGrant, wide: asks },
      [scope("wide"), approval],
      ["mcp", "env:staging", "policy:wide"],
    ],
    [
      "a policy that asks nobody comes first",
      2,
      2,
      { own: noGrant, asking: asks, wide: allow },
      [scope("wide")],
      ["mcp", "env:staging", "policy:wide"],
    ],
    [
      "the tier, another policy and an approval",
      0,
      2,
      { own: noGrant, wide: asks },
      [{ type: "tier", has: 0, needs: 2 }, scope("wide"), approval],
      null,
    ],
    ["any grant", 2, 2, { own: noGrant, other: noGrant }, [{ type: "grant", policies: ["own", "other"] }], null],
    ["no way around a stop is shown", 2, 2, { own: stop, wide: allow }, [], null],
    ["nor past a stop of another policy", 2, 2, { own: noGrant, other: stop }, [{ type: "grant", policies: ["own", "other"] }], null],
    ["nothing", 2, 2, { own: allow }, [], null],
  ])("[CTL-04] %s", (_name, tier, needs, said, missing, scopes) => {
    const asked: Tier[] = [];
    const found = whatIsMissing({
      tier,
      needs,
      environment: "staging",
      policy: "own",
      policies: Object.keys(said),
      decide: (policy, as) => {
        asked.push(as);
        return said[policy] ?? noGrant;
      },
    });
    expect(found).toEqual(missing);
    expect(scopesMissing(found)).toEqual(scopes);
    expect(asked.every((as) => as >= needs)).toBe(true);
  });
});
