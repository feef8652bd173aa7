import { beforeAll, expect, test } from "vitest";
import { createCedarEngine } from "./cedar-engine.ts";
import { ask, onePolicy, supportRegistry } from "./support.testing.ts";

const registry = supportRegistry(
  onePolicy(`
    @id("grant.starter") permit (principal, action, resource);
    @id("stop.not_undoable") @reason("A starter does only what can be undone.")
    forbid (principal, action, resource) unless { context.tool.reversibility == "reversible" };
  `),
);
const engine = createCedarEngine();
beforeAll(() => engine.prepare(registry));

test.each<["reversible" | "compensable" | "none", string]>([
  ["reversible", "allow"],
  ["compensable", "deny"],
  ["none", "deny"],
])("[RUN-23] a starter held to what can be undone, asking for what is %s: %s", (reversibility, verdict) => {
  const input = { amountCents: 100, currency: "USD" };
  expect(engine.decide(registry, "support", ask("helpdesk__refund.create", input, { reversibility })).type).toBe(verdict);
});
