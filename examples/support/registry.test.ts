import { expect, test } from "vitest";
import { queues, readSeed } from "./helpdesk/seed.ts";
import { assembleExample } from "./registry.testing.ts";

test("[CTL-16][CTL-31][CTL-32][GOV-20] the files of the example are one registry, without a remark", async () => {
  const assembled = await assembleExample();
  expect(assembled).toMatchObject({ type: "registry", warnings: [] });
  if (assembled.type !== "registry") return;
  const { registry } = assembled;
  expect([...registry.queues.keys()].toSorted()).toEqual([...queues].toSorted());
  expect([...registry.tools.values()].filter((tool) => tool.pin === null)).toEqual([]);
  expect([...registry.agents.values()].map(({ spec, suspended }) => [spec.name, spec.tier, suspended])).toEqual([
    ["support-observer", 0, null],
    ["support-triage", 2, null],
  ]);
  for (const { spec } of registry.agents.values()) expect([spec.constraints.may, spec.constraints.never]).not.toContainEqual([]);
  expect(registry.workflows.get("triage")).toMatchObject({
    accountable: "ines",
    responsibilities: { intent: "support", execution: "support-triage", constraints: "security" },
  });
});

test("[CTL-25] every customer's domain is known to the guard, and no stranger's", async () => {
  const assembled = await assembleExample();
  const { customers } = await readSeed();
  const texts =
    assembled.type === "registry" ? assembled.registry.policies.get("northwind_guard")?.sources.map((source) => source.text) : [];
  const known = new Set((texts ?? []).join("\n").match(/(?<=\*@)[a-z0-9.-]+\.example/g));
  expect(known).toEqual(new Set(customers.map((customer) => customer.email.split("@")[1])));
});
