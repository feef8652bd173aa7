import type { AgentClaims, Id } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { buildRegistry } from "../registry/registry.testing.ts";
import type { RegistryOverrides } from "../registry/registry.testing.ts";
import { admit, nothingRevoked, spiffeId } from "./admission.ts";
import type { Revocations } from "./admission.ts";

const version = "a".repeat(64);
const runId = `run_${"1".repeat(32)}` as Id<"run">;
const claims: AgentClaims = {
  iss: "http://localhost/oidc",
  aud: "http://localhost/mcp",
  sub: `spiffe://acme.example/agent/support-agent/${version}`,
  client_id: "support-agent",
  iat: 1_000,
  exp: 1_300,
  jti: `tok_${"2".repeat(32)}` as Id<"token">,
  scope: "mcp env:dev policy:customer_support_tier1_v3",
  agent: "support-agent",
  version,
  accountable: "ada",
  environment: "dev",
  policy: "customer_support_tier1_v3",
  secret: `sec_${"3".repeat(32)}` as Id<"secret">,
  consent: null,
  run: null,
};
const run: AgentClaims["run"] = {
  id: runId,
  workflow: "triage",
  queue: null,
  subject: null,
  maxActions: 3,
  deadline: 2_000_000,
  requireApproval: [],
  approvers: "support-lead",
  serviceName: null,
};

function ask(overrides: RegistryOverrides = {}, revoked: Partial<Revocations> = {}, asked: Partial<AgentClaims> = {}) {
  const agents = (overrides.agents ?? [{ name: "support-agent" }]).map((agent) => ({ version, ...agent }));
  return admit(buildRegistry({ ...overrides, agents }), { ...nothingRevoked, ...revoked }, { ...claims, ...asked });
}

describe("admit", () => {
  test("says who is asking", () => {
    expect(ask({}, {}, { run })).toEqual({
      type: "admitted",
      caller: {
        agent: "support-agent",
        version,
        accountable: "ada",
        environment: "dev",
        policy: "customer_support_tier1_v3",
        run,
        tokenId: claims.jti,
        expiresAt: 1_300_000,
      },
    });
  });

  test.each<[string, string, Parameters<typeof ask>]>([
    ["an agent that is gone", "token-revoked", [{}, {}, { agent: "gone" }]],
    [
      "a suspended agent",
      "agent-suspended",
      [{ agents: [{ name: "support-agent", suspended: { code: "agent-suspended", reason: "under review" } }] }],
    ],
    ["an accountable human who left", "no-accountable-human", [{ parties: [{ name: "ada", active: false }] }]],
    ["an accountable that is no human", "no-accountable-human", [{ parties: [{ name: "ada", type: "service" }] }]],
    ["an older version", "token-revoked", [{}, {}, { version: "b".repeat(64) }]],
    ["somebody else who answers for it now", "token-revoked", [{ agents: [{ name: "support-agent", accountable: "ben" }] }]],
    ["an environment that was taken away", "token-revoked", [{}, {}, { environment: "production" }]],
    ["a policy that was taken away", "token-revoked", [{}, {}, { policy: "other" }]],
    ["a further policy that was taken away", "token-revoked", [{}, {}, { furtherPolicies: ["other"] }]],
    ["a revoked token", "token-revoked", [{}, { tokens: new Set([claims.jti]) }]],
    ["a retired secret", "token-revoked", [{}, { secrets: new Set([claims.secret ?? ""]) }]],
    ["a withdrawn consent", "token-revoked", [{}, { consents: new Set(["cns_1"]) }, { consent: "cns_1" as Id<"consent"> }]],
    ["a revoked run", "token-revoked", [{}, { runs: new Set([runId]) }, { run }]],
    ["all tokens of the agent", "token-revoked", [{}, { agents: new Map([["support-agent", 1_000_500]]) }]],
    ["all tokens of the agent, in the same second", "token-revoked", [{}, { agents: new Map([["support-agent", 1_000_000]]) }]],
  ])("[CTL-03] %s: %s", (_name, code, args) => {
    expect(ask(...args)).toMatchObject({ type: "refused", code });
  });

  test("what was revoked of somebody else, or before, does not matter", () => {
    const others: Revocations = {
      tokens: new Set(["tok_other"]),
      runs: new Set([runId]),
      secrets: new Set(["sec_other"]),
      consents: new Set(["cns_other"]),
      agents: new Map([
        ["support-agent", 999_999],
        ["other", 5_000_000],
      ]),
    };
    expect(ask({}, others).type).toBe("admitted");
  });

  test("[CTL-02] every version has one identity", () => {
    expect(spiffeId(buildRegistry(), "support-agent", version)).toBe(claims.sub);
  });
});
