import { expect, test } from "vitest";
import { buildRegistry } from "./registry.testing.ts";

test("the default registry is a small whole", () => {
  const registry = buildRegistry();
  expect([...registry.tools.keys()]).toEqual([
    "helpdesk__tickets.read",
    "helpdesk__tickets.draft_reply",
    "helpdesk__send_email",
    "helpdesk__refund.create",
  ]);
  expect(registry.agents.get("support-agent")?.spec.tools).toEqual([...registry.tools.keys()]);
});

test("an override changes one default, or adds one like it", () => {
  const registry = buildRegistry({
    agents: [
      { name: "support-agent", tier: 0 },
      { name: "second", suspended: { code: "agent-suspended", reason: "left" } },
    ],
    tools: [{ name: "send_email", state: "changed" }],
    parties: [{ name: "eve", active: false }],
  });
  expect(registry.agents.get("support-agent")?.spec.tier).toBe(0);
  expect(registry.agents.get("second")).toMatchObject({ spec: { tier: 2, accountable: "ada" }, suspended: { code: "agent-suspended" } });
  expect(registry.tools.get("helpdesk__send_email")).toMatchObject({ state: "changed", spec: { effect: "write" } });
  expect(registry.parties.get("eve")).toMatchObject({ active: false, roles: [], type: "human" });
});
