import { type AddFault, addFaultSchema } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { type TestActionPath, openTestActionPath } from "../action/action-path.testing.ts";

const fault = (more: Partial<AddFault> & Pick<AddFault, "kind">): AddFault =>
  addFaultSchema.parse({ environment: "staging", upstream: "helpdesk", reason: "game day", ...more });

const outputSchema = { type: "object", properties: { id: { type: "string" }, subject: { type: "string" } }, required: ["id", "subject"] };
const answer = { content: [{ type: "text", text: '{"id":"1","subject":"Hello"}' }], structuredContent: { id: "1", subject: "Hello" } };

/** Reads tickets; within a short time only where running out of it is what is tested. */
function open({ timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<TestActionPath> {
  return openTestActionPath({
    tools: [
      {
        name: "tickets.read",
        timeoutMs,
        pin: {
          description: "Reads a ticket",
          inputSchema: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
          outputSchema,
          digest: "b".repeat(64),
        },
      },
    ],
    agents: [{ name: "support-agent", tier: 3, environments: ["staging", "production"] }],
  });
}

async function outcomeOf(remit: TestActionPath, actionId: string) {
  const entries = await remit.entries(actionId);
  return entries.find(({ type }) => /^action-(?:succeeded|failed)$/.test(type));
}

describe("a fault that is injected", () => {
  test("[SAF-10][SAF-11] the path reacts as to a real one, and only the ledger says that it was none", async () => {
    await using remit = await open();
    remit.upstream.answer = () => answer;
    const kinds = [
      ["error", { type: "failed", code: "upstream-error" }, 0],
      ["partial", { type: "failed", code: "result-invalid" }, 1],
      ["schema-drift", { type: "failed", code: "result-invalid" }, 1],
      ["slow", { type: "succeeded" }, 1],
    ] as const;
    for (const [kind, expected, sent] of kinds) {
      remit.upstream.calls.length = 0;
      const added = await remit.injected.add(remit.person("ben"), fault({ kind, delayMs: 50 }));
      expect(added).toMatchObject({ state: "active", confirmedBy: null });
      const outcome = await remit.act("tickets.read", { id: "1" });
      expect(outcome, kind).toMatchObject(expected);
      expect(JSON.stringify(outcome)).not.toMatch(/inject|fault/);
      expect(remit.upstream.calls).toHaveLength(sent);
      expect((await outcomeOf(remit, outcome.actionId))?.data["injected"]).toEqual([{ fault: added.id, kind }]);
      await remit.injected.remove(added.id, remit.person("ben"));
    }
    const after = await remit.act("tickets.read", { id: "2" });
    expect(after.type).toBe("succeeded");
    expect((await outcomeOf(remit, after.actionId))?.data).not.toHaveProperty("injected");
    const entries = (await remit.entries()).map(({ type }) => type).filter((type) => type.startsWith("fault-"));
    expect(entries).toEqual(kinds.flatMap(() => ["fault-added", "fault-removed"]));
  });

  test("[SAF-10] timeout: the call runs out of its time, and nothing is sent", async () => {
    await using remit = await open({ timeoutMs: 200 });
    const added = await remit.injected.add(remit.person("ben"), fault({ kind: "timeout" }));
    const outcome = await remit.act("tickets.read", { id: "1" });
    expect(outcome).toMatchObject({ type: "failed", code: "upstream-timeout" });
    expect(remit.upstream.calls).toHaveLength(0);
    expect((await outcomeOf(remit, outcome.actionId))?.data["injected"]).toEqual([{ fault: added.id, kind: "timeout" }]);
  });

  test("[SAF-10] stale: a read answers what it answered first; what changes something is let through", async () => {
    await using remit = await open();
    let count = 0;
    remit.upstream.answer = () => ({ content: [], structuredContent: { id: "1", subject: `version ${(count += 1)}` } });
    await remit.injected.add(remit.person("ben"), fault({ kind: "stale" }));
    const first = await remit.act("tickets.read", { id: "1" });
    const second = await remit.act("tickets.read", { id: "1" });
    expect([first, second].map((each) => each.type === "succeeded" && each.result.structuredContent?.["subject"])).toEqual([
      "version 1",
      "version 1",
    ]);
    const caller = { ...remit.caller, accountable: "ben" };
    const other = await remit.act("tickets.read", { id: "1" }, { caller });
    expect(other.type === "succeeded" && other.result.structuredContent?.["subject"]).toBe("version 2");
    await remit.act("tickets.draft_reply", { id: "1" });
    await remit.act("tickets.draft_reply", { id: "1", body: "again" });
    expect(remit.upstream.calls.map(({ tool }) => tool)).toEqual([
      "tickets.read",
      "tickets.read",
      "tickets.draft_reply",
      "tickets.draft_reply",
    ]);
  });

  test("[SAF-10] covers what it names: environment, upstream, tool, share of calls, time; and reaches every server", async () => {
    await using remit = await open();
    remit.upstream.answer = () => answer;
    const other = await remit.another();
    await remit.injected.add(remit.person("ben"), fault({ kind: "error", tool: "tickets.read", for: "PT1M" }));
    await other.control.refresh();
    expect(await other.act("tickets.read", { id: "1" })).toMatchObject({ type: "failed" });
    expect((await remit.act("tickets.draft_reply", { id: "1" })).type).toBe("succeeded");
    expect((await remit.act("tickets.read", { id: "1" }, { caller: { ...remit.caller, environment: "production" } })).type).toBe(
      "succeeded",
    );
    remit.clock.now += 60_000;
    expect((await remit.act("tickets.read", { id: "1" })).type).toBe("succeeded");
    expect(await remit.injected.list(false)).toEqual([]);
    expect(await remit.injected.list(true)).toMatchObject([{ state: "expired" }]);
  });

  test("[SAF-10][SAF-11] in production it does nothing before a second, different person has confirmed it", async () => {
    await using remit = await open();
    remit.upstream.answer = () => answer;
    const caller = { ...remit.caller, environment: "production" };
    const { id, state, expiresAt } = await remit.injected.add(remit.person("ben"), fault({ kind: "error", environment: "production" }));
    expect({ state, expiresAt }).toEqual({ state: "waiting", expiresAt: null });
    expect((await remit.act("tickets.read", { id: "1" }, { caller })).type).toBe("succeeded");
    await expect(remit.injected.confirm(id, remit.person("ben"))).rejects.toMatchObject({ code: "forbidden" });
    // Nor somebody whose login the first made.
    await expect(remit.injected.confirm(id, { ...remit.person("ada"), linkedBy: "party:ben" })).rejects.toMatchObject({
      code: "forbidden",
    });
    expect(await remit.injected.confirm(id, remit.person("ada"))).toMatchObject({ state: "active", confirmedBy: "ada" });
    expect(await remit.act("tickets.read", { id: "2" }, { caller })).toMatchObject({ type: "failed" });
    await expect(remit.injected.confirm(id, remit.person("ada"))).rejects.toMatchObject({ code: "conflict" });
  });

  test("[SAF-10] an environment that becomes production is production for faults that were added before", async () => {
    await using remit = await open();
    remit.upstream.answer = () => answer;
    await remit.injected.add(remit.person("ben"), fault({ kind: "error" }));
    await remit.apply({ environments: [{ name: "staging", type: "production" }] });
    const caller = { ...remit.caller, version: remit.registry().agents.get("support-agent")?.version ?? "" };
    expect((await remit.act("tickets.read", { id: "1" }, { caller })).type).toBe("succeeded");
  });

  test("names only what is registered", async () => {
    await using remit = await open();
    for (const wrong of [{ upstream: "helpdesc" }, { environment: "stage" }, { tool: "tickets.reed" }, { for: "P2D" }]) {
      await expect(remit.injected.add(remit.person("ben"), fault({ kind: "error", ...wrong }))).rejects.toMatchObject({
        code: "invalid-request",
      });
    }
    await expect(remit.injected.remove("flt_nothing", remit.person("ben"))).rejects.toMatchObject({ code: "not-found" });
  });
});
