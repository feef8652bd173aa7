import { expect, test } from "vitest";
import { provenanceOf } from "./provenance.ts";
import { testAction, testStory } from "./story.testing.ts";

const document = provenanceOf(testStory, "https://remit.example");

test("[AUD-06] of each decision is said what it was made from: the policy set, what was counted, and what was asked", () => {
  const decision = "remit:act_3/decision/1";
  expect(document.activity[decision]).toEqual({
    "prov:type": "remit:decision",
    "prov:startTime": "2026-11-21T10:01:30.000Z",
    "prov:endTime": "2026-11-21T10:01:30.000Z",
    "remit:verdict": "deny",
    "remit:code": "no-grant",
    "remit:reason": "No policy allows it.",
    "remit:policies": "only-branches",
    "remit:facts": '{"actionsToday":3}',
    "remit:entry": 7,
  });
  const sources = Object.values(document.used).flatMap((one) => (one["prov:activity"] === decision ? [one["prov:entity"]] : []));
  expect(sources).toEqual(["remit:act_3/arguments", "remit:policy%3Acoding/ab12"]);
  expect(Object.values(document.wasInformedBy)).toContainEqual({ "prov:informed": "remit:act_3", "prov:informant": decision });
  expect(Object.values(document.actedOnBehalfOf)).toContainEqual({
    "prov:delegate": "remit:agent%3Acoder",
    "prov:responsible": "remit:party%3Aada",
    "prov:activity": "remit:act_3",
  });
});

test("[AUD-06] whatever a relation names is declared, by a name that PROV allows", () => {
  const declared = new Set([document.entity, document.activity, document.agent].flatMap((records) => Object.keys(records)));
  for (const name of declared) expect(name).toMatch(/^remit:(?:[A-Za-z0-9_\-./*!~]|%[0-9A-F]{2})+$/);
  const kinds = ["used", "wasGeneratedBy", "wasInformedBy", "wasAssociatedWith", "wasAttributedTo", "actedOnBehalfOf"] as const;
  const relations = kinds.flatMap((kind) => Object.values(document[kind]));
  expect(relations.length).toBeGreaterThan(10);
  const names = ["activity", "entity", "agent", "plan", "delegate", "responsible", "informed", "informant"].map((name) => `prov:${name}`);
  for (const relation of relations) for (const name of names) if (relation[name] !== undefined) expect(declared).toContain(relation[name]);
});

test("[AUD-06] what was said is not in it", () => {
  expect(JSON.stringify(document)).not.toContain("secret-of-a-customer");
});

test("two policy sets of one name are two plans", () => {
  const [, , denied] = testStory.actions;
  const decision = { ...denied?.decisions[0], policyDigest: "cd34" } as NonNullable<typeof denied>["decisions"][number];
  const actions = [...testStory.actions, testAction({ id: "act_4", decisions: [decision] })];
  const plans = Object.keys(provenanceOf({ ...testStory, actions }, "https://remit.example").entity).filter((name) =>
    name.includes("policy"),
  );
  expect(plans).toEqual(expect.arrayContaining(["remit:policy%3Acoding/ab12", "remit:policy%3Acoding/cd34"]));
});
