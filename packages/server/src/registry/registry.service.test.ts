import type { Plan } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { expect, test } from "vitest";
import { openTestLedger } from "../ledger/ledger.testing.ts";
import { createCedarEngine } from "../policy/cedar-engine.ts";
import type { PolicyEngine } from "../policy/policy-engine.ts";
import { validFiles, withFiles, withText } from "./registry-files.testing.ts";
import { helpdeskTools, offer, openRegistry, testUpstreams } from "./registry.testing.ts";

const machine = "service:machine";

/** What is thrown, as its code and what is wrong where. */
async function refusal(work: Promise<unknown>): Promise<string[]> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!RemitError.is(error)) throw error;
  return [error.code, ...error.issues.map(({ file, line, pointer, message }) => `${file ?? ""}:${line ?? ""} ${pointer ?? ""} ${message}`)];
}

function summaries(plan: Plan): string[] {
  return plan.changes.map(({ group, effect, summary }) => `${group} ${effect}: ${summary}`);
}

test("[CTL-02][CTL-03][CTL-12][CTL-17] a registry is applied whole, in force at once, recorded, and then has nothing left to plan", async () => {
  await using test = await openTestLedger();
  const { registry, entries } = await openRegistry(test);
  expect(() => registry.current()).toThrow("no registry has been applied yet");

  const { plan, applied, revision } = await registry.apply({ files: { ...validFiles }, actor: machine });
  expect({ applied, revision, before: plan.before }).toEqual({ applied: true, revision: 1, before: null });
  expect(registry.current().digest).toBe(plan.after);
  expect(registry.current().agents.get("support-agent")).toMatchObject({
    spec: { accountable: "ada" },
    suspended: null,
    prompt: { text: "Answer politely.\n" },
  });
  expect(registry.current().tools.get("helpdesk__send_email")).toMatchObject({ state: "accepted", pin: { description: "Sends a mail" } });
  expect((await entries()).map(({ type, actor, data }) => [type, actor, data["revision"]])).toEqual([["registry-applied", machine, 1]]);

  const again = await registry.apply({ files: { ...validFiles }, actor: machine });
  expect({ ...again, plan: again.plan.changes }).toEqual({ applied: false, revision: 1, plan: [] });
  expect((await entries()).length).toBe(1);
});

test("[CTL-12] the first plan says what everybody will be able to do, first of all", async () => {
  await using test = await openTestLedger();
  const { registry } = await openRegistry(test);
  const plan = await registry.plan({ ...validFiles });
  expect(summaries(plan)[0]).toBe(
    "permissions widens: New agent support-agent: Triages tickets. ada answers for it. Tier 2 (act outside production) in staging, under the policy support, with helpdesk__tickets.read (reads) and helpdesk__send_email (writes).",
  );
  expect(summaries(plan)).toContainEqual(
    expect.stringContaining("New tool helpdesk__send_email, which writes (confidential, cannot be undone). Pinned as"),
  );
  expect(plan.changes.find(({ kind, name }) => kind === "policy" && name === "support")?.diff).toContain('+@id("grants.all")');
});

test("[CTL-14] what is applied is exactly the plan that was shown, or nothing", async () => {
  await using test = await openTestLedger();
  const { registry, entries } = await openRegistry(test);
  const plan = await registry.plan({ ...validFiles });
  const other = withText("agents/support-agent.yaml", "tier: 2", "tier: 3");
  expect(await refusal(registry.apply({ files: other, plan: plan.digest, actor: machine }))).toEqual(["conflict"]);
  expect(() => registry.current()).toThrow("no registry");
  expect((await registry.apply({ files: { ...validFiles }, plan: plan.digest, actor: machine })).applied).toBe(true);
  expect((await entries()).map(({ type }) => type)).toEqual(["registry-refused", "registry-applied"]);
});

test("[CTL-12] of two applied at the same time one wins, and the other changes nothing", async () => {
  await using test = await openTestLedger();
  const upstreams = testUpstreams();
  const both = Promise.withResolvers<void>();
  // Neither goes on before both have read what is in force.
  const probe: typeof upstreams.probe = async (spec) => {
    const tools = await upstreams.probe(spec);
    if (upstreams.probed.length === 2) both.resolve();
    await both.promise;
    return tools;
  };
  const { registry, replica } = await openRegistry(test, { ...upstreams, probe });
  const other = await replica();
  const results = await Promise.allSettled([
    registry.apply({ files: { ...validFiles }, actor: machine }),
    other.registry.apply({ files: withText("agents/support-agent.yaml", "tier: 2", "tier: 1"), actor: machine }),
  ]);
  const rejected = results.filter((result) => result.status === "rejected");
  expect(results.filter((result) => result.status === "fulfilled").length).toBe(1);
  expect(rejected.map(({ reason }) => (RemitError.is(reason) ? reason.code : reason))).toEqual(["conflict"]);
  expect(await test.superuser.query("SELECT count(*)::int AS revisions FROM registry_revision")).toEqual([{ revisions: 1 }]);
});

test("[CTL-03] what is refused changes nothing and is recorded with who tried and why", async () => {
  await using test = await openTestLedger();
  const { registry, entries, upstreams } = await openRegistry(test);
  const files = withText("agents/support-agent.yaml", "accountable: ada", "accountable: nobody");
  expect(await refusal(registry.apply({ files, actor: "party:ben" }))).toEqual([
    "invalid-configuration",
    'agents/support-agent.yaml:4 /accountable there is no party "nobody"; add it or name another',
  ]);
  const policies = withFiles({ "policies/support/grants.cedar": "permit (principal" });
  expect(await refusal(registry.apply({ files: policies, actor: "party:ben" }))).toEqual([
    "invalid-configuration",
    expect.stringMatching(/^policies\/support\/grants\.cedar:1 /),
  ]);
  expect(
    await test.superuser.query("SELECT 1 FROM asset_version UNION ALL SELECT 1 FROM registry_revision UNION ALL SELECT 1 FROM tool_head"),
  ).toEqual([]);
  expect((await entries()).map(({ type, actor, data }) => [type, actor, data["code"], data["issueCount"]])).toEqual([
    ["registry-refused", "party:ben", "invalid-configuration", 1],
    ["registry-refused", "party:ben", "invalid-configuration", 1],
  ]);
  // Only the second was right enough for its upstream to be started.
  expect(upstreams.probed.length).toBe(1);
});

test("[CTL-03][GOV-21] a person who leaves can be removed: the agents that he answered for are suspended everywhere, and it is said loudly", async () => {
  await using test = await openTestLedger();
  const { registry, replica, entries } = await openRegistry(test);
  await registry.apply({ files: { ...validFiles }, actor: machine });
  const other = await replica();

  const files = withText("parties/people.yaml", "displayName: Ada Admin", "displayName: Ada Admin\nactive: false");
  const { plan } = await registry.apply({ files, actor: machine });
  expect(summaries(plan).slice(0, 2)).toEqual([
    "permissions stops: SUPPORT-AGENT IS SUSPENDED and may do nothing: ada, who answers for support-agent, is no longer an active person; name somebody else as accountable.",
    "permissions stops: ada is deactivated: sessions end, and ada can neither answer for agents nor approve.",
  ]);
  expect(plan.warnings.map(({ file, line, message }) => `${file ?? ""}:${line ?? 0} ${message}`)).toContain(
    "agents/support-agent.yaml:4 ada is no longer active: the agent support-agent is suspended and may do nothing; name somebody else",
  );
  expect((await entries()).map(({ type }) => type)).toEqual(["registry-applied", "registry-applied", "agent-suspended"]);

  await other.control.refresh();
  for (const server of [registry, other.registry]) {
    expect(server.current().agents.get("support-agent")?.suspended).toMatchObject({ code: "no-accountable-human" });
  }

  const restored = withText(
    "agents/support-agent.yaml",
    "accountable: ada",
    "accountable: ben",
    withText("workflows/triage.yaml", "accountable: ada", "accountable: ben", files),
  );
  const back = await registry.apply({ files: restored, actor: machine });
  expect(summaries(back.plan)).toContain("permissions widens: support-agent is no longer suspended and may act again.");
  expect(registry.current().agents.get("support-agent")?.suspended).toBeNull();
});

test("[CTL-03] nobody inactive can be newly made to answer for an agent", async () => {
  await using test = await openTestLedger();
  const { registry } = await openRegistry(test);
  await registry.apply({ files: { ...validFiles }, actor: machine });
  const gone = withText("parties/people.yaml", "displayName: Cleo Support", "displayName: Cleo Support\nactive: false");
  const message = "cleo is not active; who answers for an agent must be an active human";
  expect(await refusal(registry.plan(withText("agents/support-agent.yaml", "accountable: ada", "accountable: cleo", gone)))).toEqual([
    "invalid-configuration",
    `agents/support-agent.yaml:4 /accountable ${message}`,
  ]);
  const second = (validFiles["agents/support-agent.yaml"] ?? "")
    .replace("name: support-agent", "name: second")
    .replace("accountable: ada", "accountable: cleo");
  expect(await refusal(registry.plan({ ...gone, "agents/second.yaml": second }))).toEqual([
    "invalid-configuration",
    `agents/second.yaml:4 /accountable ${message}`,
  ]);
});

test("[CTL-17][CTL-19] a tool that says something else than was accepted is blocked until somebody accepts exactly what was shown", async () => {
  await using test = await openTestLedger();
  const { registry, upstreams, entries } = await openRegistry(test);
  await registry.apply({ files: { ...validFiles }, actor: machine });
  const before = registry.current().agents.get("support-agent")?.version;
  const accepted = registry.current().tools.get("helpdesk__send_email")?.pin;

  const changed = offer("send_email", "Sends a mail and copies it to eve", { to: { type: "string" }, bcc: { type: "string" } });
  upstreams.offers.set("helpdesk", [...helpdeskTools().slice(0, 1), changed, offer("wipe", "Deletes everything")]);
  await registry.driftCheck("helpdesk", upstreams.offers.get("helpdesk") ?? []);
  expect(registry.current().tools.get("helpdesk__send_email")).toMatchObject({ state: "changed", pin: accepted });
  expect(registry.current().tools.get("helpdesk__tickets.read")?.state).toBe("accepted");
  expect(registry.current().tools.has("helpdesk__wipe")).toBe(false);

  const { items, unavailable } = await registry.toolDifferences();
  expect(unavailable).toEqual([]);
  expect(items.map(({ tool, state }) => [tool, state])).toEqual([
    ["helpdesk__send_email", "changed"],
    ["helpdesk__wipe", "new"],
  ]);
  expect(items[0]?.text).toContain("Sends a mail{+ and copies it to eve+}");
  expect(items[0]?.text).toContain('+     "bcc": {');
  const shown = items[0]?.offeredDigest ?? "";

  // It changes once more between being shown and being accepted.
  upstreams.offers.set("helpdesk", [...helpdeskTools().slice(0, 1), offer("send_email", "Sends a mail and deletes the ticket")]);
  await registry.driftCheck("helpdesk", upstreams.offers.get("helpdesk") ?? []);
  const tools = ["helpdesk__send_email"];
  expect(await refusal(registry.acceptTools({ tools, digests: [shown], actor: "party:ben" }))).toEqual(["conflict"]);

  const [again] = (await registry.toolDifferences()).items;
  await registry.acceptTools({ tools, digests: [again?.offeredDigest ?? ""], actor: "party:ben" });
  expect(registry.current().tools.get("helpdesk__send_email")).toMatchObject({
    state: "accepted",
    pin: { description: "Sends a mail and deletes the ticket" },
  });
  expect(registry.current().agents.get("support-agent")?.version).not.toBe(before);
  expect((await entries()).map(({ type, actor }) => [type, actor])).toEqual([
    ["registry-applied", machine],
    ["tool-drifted", "service:gateway"],
    ["tool-drifted", "service:gateway"],
    ["tool-accepted", "party:ben"],
  ]);
  // Accepting is no change of the files: they still have nothing to plan.
  expect((await registry.plan({ ...validFiles })).changes).toEqual([]);
});

test("[CTL-17] a tool that disappears is blocked, and free again when it says what was accepted", async () => {
  await using test = await openTestLedger();
  const { registry, replica, control } = await openRegistry(test);
  await registry.apply({ files: { ...validFiles }, actor: machine });
  await registry.driftCheck("helpdesk", helpdeskTools().slice(1));
  const other = await replica();
  expect(other.registry.current().tools.get("helpdesk__tickets.read")?.state).toBe("missing");
  await other.registry.driftCheck("helpdesk", helpdeskTools());
  await control.refresh();
  expect(registry.current().tools.get("helpdesk__tickets.read")?.state).toBe("accepted");
});

test("[CTL-17] what cannot be seen is never pinned or accepted, and is shown escaped", async () => {
  await using test = await openTestLedger();
  const { registry, upstreams } = await openRegistry(test);
  const poisoned = [offer("tickets.read", "Reads a ticket\u200b\u{e0049}"), ...helpdeskTools().slice(1)];
  upstreams.offers.set("helpdesk", poisoned);
  expect(await refusal(registry.plan({ ...validFiles }))).toEqual([
    "invalid-configuration",
    "tools/helpdesk.yaml:3 /name the tool cannot be pinned: its description contains U+200B, which cannot be seen: people and models would read different texts",
  ]);

  upstreams.offers.set("helpdesk", helpdeskTools());
  await registry.apply({ files: { ...validFiles }, actor: machine });
  upstreams.offers.set("helpdesk", poisoned);
  const { items } = await registry.toolDifferences();
  expect(items[0]).toMatchObject({ tool: "helpdesk__tickets.read", state: "changed", offeredDigest: null });
  expect(items[0]?.text).toContain("{+\\u{200b}\\u{e0049}+}");
  const digest = registry.loaded().heads.get("helpdesk__tickets.read")?.offered?.digest ?? "";
  expect(await refusal(registry.acceptTools({ tools: ["helpdesk__tickets.read"], digests: [digest], actor: machine }))).toEqual([
    "invalid-configuration",
  ]);

  // Characters that a database's text cannot hold must not keep the tool from being blocked.
  upstreams.offers.set("helpdesk", helpdeskTools());
  await registry.driftCheck("helpdesk", helpdeskTools());
  await registry.driftCheck("helpdesk", [offer("tickets.read", "Reads\0"), offer("send_email", "Lone \ud800")]);
  expect([...registry.current().tools.values()].map(({ state }) => state)).toEqual(["changed", "changed"]);
});

test("[CTL-17] a tool that its upstream does not offer cannot be registered; an upstream that is down leaves its tools blocked", async () => {
  await using test = await openTestLedger();
  const { registry, upstreams } = await openRegistry(test);
  upstreams.offers.set("helpdesk", [offer("ticket.read", "Reads"), ...helpdeskTools().slice(1)]);
  expect(await refusal(registry.plan({ ...validFiles }))).toEqual([
    "invalid-configuration",
    'tools/helpdesk.yaml:3 /name helpdesk offers no tool "tickets.read"; did you mean "ticket.read"?',
  ]);
  upstreams.offers.delete("helpdesk");
  const { plan } = await registry.apply({ files: { ...validFiles }, actor: machine });
  expect(plan.warnings[0]?.message).toContain(
    'upstream "helpdesk" does not answer: helpdesk__tickets.read is not pinned, and nobody can call it until it is accepted',
  );
  expect(registry.current().tools.get("helpdesk__send_email")).toMatchObject({ state: "missing", pin: null });
  // It comes up: what it offers still waits for somebody.
  await registry.driftCheck("helpdesk", helpdeskTools());
  expect(registry.current().tools.get("helpdesk__send_email")).toMatchObject({ state: "changed", pin: null });
});

test("[CTL-17] budgets refuse to count an amount that is not in the tool's schema", async () => {
  await using test = await openTestLedger();
  const { registry } = await openRegistry(test);
  const files = withText("tools/helpdesk.yaml", "effect: write\n", "effect: write\namount: { pointer: /cents, unit: EUR-cent }\n");
  expect(await refusal(registry.plan(files))).toEqual([
    "invalid-configuration",
    "tools/helpdesk.yaml:13 /amount/pointer /cents is not in the tool's input schema, so no budget could count it",
  ]);
});

test("[DLV-11] an agent's version changes with its prompt, tools, policies and workflows, and every version stays on record", async () => {
  await using test = await openTestLedger();
  const { registry } = await openRegistry(test);
  await registry.apply({ files: { ...validFiles }, actor: machine });
  const versions = [registry.current().agents.get("support-agent")?.version];
  for (const files of [
    withFiles({ "agents/support-agent.md": "Answer rudely.\n" }),
    withText("tools/helpdesk.yaml", "sensitivity: internal", "sensitivity: restricted"),
    withText("policies/support/grants.cedar", "permit (", "permit  ("),
    withText("policies/house/stops.cedar", "{ false }", "{ 1 == 2 }"),
    withText("workflows/triage.yaml", "actions: 10", "actions: 11"),
    withText("upstreams/helpdesk.yaml", "helpdesk.ts", "other.ts"),
  ]) {
    const { applied } = await registry.apply({ files, actor: machine });
    expect(applied).toBe(true);
    versions.push(registry.current().agents.get("support-agent")?.version);
  }
  expect(new Set(versions).size).toBe(7);
  const kept = await test.superuser.query<{ digest: string }>("SELECT digest FROM asset_version WHERE kind = 'agent-closure'");
  expect(new Set(kept.map(({ digest }) => digest))).toEqual(new Set(versions));
  const [prompt] = (await registry.plan(withFiles({ "agents/support-agent.md": "Answer rudely.\n" }))).changes.filter(
    ({ diff }) => diff !== null,
  );
  expect(prompt).toMatchObject({ group: "agents", summary: "support-agent is told something else: its prompt changes." });
  expect(prompt?.diff).toContain("-Answer politely.\n+Answer rudely.");
});

test("[CTL-03] a stored version that was tampered with does not come into force", async () => {
  await using test = await openTestLedger();
  const { registry, replica } = await openRegistry(test);
  await registry.apply({ files: { ...validFiles }, actor: machine });
  await test.superuser.query(`UPDATE asset_version SET content = replace(content, '"tier":2', '"tier":3') WHERE kind = 'agent'`);
  const { registry: other, control } = await replica();
  await expect(control.refresh()).rejects.toThrow('the stored version of the agent "support-agent" is not what its digest');
  expect(() => other.current()).toThrow("has not been loaded");
});

test("[CTL-12] the application cannot rewrite what was applied", async () => {
  await using test = await openTestLedger();
  for (const table of ["asset_version", "registry_revision", "tool_pin"]) {
    await expect(test.database.query(`UPDATE ${table} SET digest = digest`)).rejects.toThrow("permission denied");
    await expect(test.database.query(`DELETE FROM ${table}`)).rejects.toThrow("permission denied");
  }
});

test("[CTL-12] policies that an engine no longer takes decide nothing, and can still be replaced", async () => {
  await using test = await openTestLedger();
  const { registry, replica } = await openRegistry(test);
  await registry.apply({ files: { ...validFiles }, actor: machine });
  const stale = registry.current().digest;
  const cedar = createCedarEngine();
  const newer: PolicyEngine = {
    ...cedar,
    async prepare(candidate) {
      if (candidate.digest === stale) throw new RemitError("invalid-configuration", "no longer taken");
      await cedar.prepare(candidate);
    },
  };
  const upgraded = await replica(newer);
  await expect(upgraded.control.refresh()).rejects.toThrow("no longer taken");
  expect(() => upgraded.registry.current()).toThrow("has not been loaded");
  const files = withText("policies/support/grants.cedar", "grants.all", "grants.every");
  const { applied } = await upgraded.registry.apply({ files, actor: machine });
  expect(applied).toBe(true);
  expect(upgraded.registry.current().policies.get("support")?.sources[0]?.text).toContain("grants.every");
});
