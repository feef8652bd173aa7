import { expect, test } from "vitest";
import { buildRegistry } from "../registry/registry.testing.ts";
import { consentChoices } from "./consent-choices.ts";

const registry = buildRegistry({
  parties: [{ name: "gone", active: false }],
  policies: [{ name: "house" }],
  agents: [
    { name: "support-agent", accountable: "ada", environments: ["dev", "staging"], policies: ["customer_support_tier1_v3"] },
    { name: "helper", accountable: "ada", environments: ["dev"], policies: ["customer_support_tier1_v3", "house"] },
    { name: "fenced", accountable: "ada", suspended: { code: "agent-suspended", reason: "under review" } },
    { name: "ben-agent", accountable: "ben", environments: ["dev"] },
  ],
});
const chosen = (party: string, ...scopes: string[]) =>
  consentChoices(registry, party, scopes).map(({ agent, environment, policies }) => `${agent}/${environment}/${policies.join("+")}`);

const v3 = "customer_support_tier1_v3";
test.each<[string, string[], string[]]>([
  ["ada", [], [`support-agent/dev/${v3}`, `support-agent/staging/${v3}`, `helper/dev/${v3}`, "helper/dev/house"]],
  [
    "ada",
    ["mcp", "openid", "offline_access"],
    [`support-agent/dev/${v3}`, `support-agent/staging/${v3}`, `helper/dev/${v3}`, "helper/dev/house"],
  ],
  ["ada", ["env:staging"], [`support-agent/staging/${v3}`]],
  ["ada", ["policy:house"], ["helper/dev/house"]],
  ["ada", ["agent:helper", `policy:${v3}`], [`helper/dev/${v3}`]],
  ["ada", ["policy:house", `policy:${v3}`], [`helper/dev/house+${v3}`]],
  ["ada", ["env:production"], []],
  ["ada", ["agent:ben-agent"], []],
  ["ada", ["agent:fenced"], []],
  ["ben", [], [`ben-agent/dev/${v3}`]],
  ["gone", [], []],
  ["nobody", [], []],
])("[CTL-03][CTL-04] %s, asked for %j, can only let a client be an own agent: %j", (party, scopes, expected) => {
  expect(chosen(party, ...scopes).sort()).toEqual(expected.sort());
});
