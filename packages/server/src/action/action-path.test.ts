import { expect, test } from "vitest";
import { everythingGranted, openTestActionPath } from "./action-path.testing.ts";

test("[CTL-01][AUD-01][AUD-06] an allowed call is intended, executed and recorded, in this order", async () => {
  await using remit = await openTestActionPath();
  remit.upstream.answer = async (call) => {
    expect((await remit.entries()).map(({ type }) => type)).toEqual(["action-intended"]);
    return { content: [{ type: "text", text: `ticket ${JSON.stringify(call.arguments["id"])}` }] };
  };
  const outcome = await remit.act("tickets.read", { id: "7" });
  expect(outcome).toMatchObject({ type: "succeeded", result: { content: [{ text: `ticket "7"` }] } });
  const entries = await remit.entries(outcome.actionId);
  expect(entries.map(({ type }) => type)).toEqual(["action-intended", "action-succeeded"]);
  expect(entries[0]?.data).toMatchObject({
    version: remit.caller.version,
    policy: remit.caller.policy,
    policyDigest: expect.stringMatching(/^[0-9a-f]{8,}$/) as string,
    policies: ["grants.everything"],
  });
  // No policy here reads what is counted.
  expect(entries[0]?.data).not.toHaveProperty("facts");
});

test("[CTL-01] a call that waits is executed once after the grant, and the repeated call gets the recorded outcome", async () => {
  await using remit = await openTestActionPath();
  const asked = await remit.act("send_email", { to: "kim@example.com" });
  expect(asked).toMatchObject({ type: "waiting", teams: ["support-lead"] });
  expect(await remit.act("send_email", { to: "kim@example.com" })).toMatchObject({ type: "waiting", actionId: asked.actionId });
  expect(remit.upstream.calls).toEqual([]);
  await remit.vote(asked);
  expect(await remit.path.executeGranted()).toBe(1);
  expect(await remit.path.executeGranted()).toBe(0);
  expect(remit.upstream.calls).toMatchObject([{ tool: "send_email", arguments: { to: "kim@example.com" } }]);
  expect(await remit.act("send_email", { to: "kim@example.com" })).toMatchObject({ type: "succeeded", actionId: asked.actionId });
  expect(remit.upstream.calls).toHaveLength(1);
});

test("[AUD-01] equal calls without a key that nobody is asked about are calls of their own, also when they come at one moment", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted });
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => remit.act("tickets.read", { id: "7" })));
  expect(new Set(outcomes.map(({ actionId }) => actionId)).size).toBe(10);
  expect(remit.upstream.calls).toHaveLength(10);
});
