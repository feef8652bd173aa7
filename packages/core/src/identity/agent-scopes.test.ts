import { describe, expect, test } from "vitest";
import { buildRegistry } from "../registry/registry.testing.ts";
import { grantableScopes, grantScopes } from "./agent-scopes.ts";

const agent = buildRegistry({
  agents: [{ name: "support-agent", environments: ["staging", "dev"], policies: ["customer_support_tier1_v3", "house"] }],
  policies: [{ name: "house" }],
}).agents.get("support-agent")?.spec;
if (agent === undefined) throw new Error("no agent");

describe("grantScopes", () => {
  test.each([
    [[], "staging", "customer_support_tier1_v3"],
    [["mcp"], "staging", "customer_support_tier1_v3"],
    [["env:dev"], "dev", "customer_support_tier1_v3"],
    [["mcp", "policy:house", "env:dev"], "dev", "house"],
    [["env:dev", "env:dev"], "dev", "customer_support_tier1_v3"],
  ])("[CTL-04] %j acts in %s under %s", (scopes, environment, policy) => {
    const scope = `mcp env:${environment} policy:${policy}`;
    expect(grantScopes(agent, scopes)).toEqual({ type: "granted", environment, policy, furtherPolicies: [], scope });
  });

  test("[CTL-04] several policies are several, in the order in which they are named", () => {
    expect(grantScopes(agent, ["mcp", "policy:house", "env:dev", "policy:customer_support_tier1_v3", "policy:house"])).toEqual({
      type: "granted",
      environment: "dev",
      policy: "house",
      furtherPolicies: ["customer_support_tier1_v3"],
      scope: "mcp env:dev policy:house policy:customer_support_tier1_v3",
    });
  });

  test.each([
    [["env:production"], "env:production"],
    [["policy:admin"], "policy:admin"],
    [["mcp", "admin"], "admin"],
    [["env:"], "env:"],
    [["env:dev", "env:staging"], "env:"],
    [["openid"], "openid"],
  ])("[CTL-04] %j is refused, not narrowed", (scopes, scope) => {
    expect(grantScopes(agent, scopes)).toEqual({ type: "refused", scope });
  });

  test("everything that is listed as grantable is granted", () => {
    expect(grantableScopes(agent)).toEqual(expect.arrayContaining(["mcp", "env:dev", "env:staging"]));
    for (const scope of grantableScopes(agent)) expect(grantScopes(agent, [scope]).type).toBe("granted");
  });
});
