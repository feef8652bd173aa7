import { expect, test } from "vitest";
import { type TestActionPath, everythingGranted, hang, mailWaits, openTestActionPath, terminalEntries } from "./action-path.testing.ts";

const mail = { to: "kim@example.com", body: "Hello" };

async function granted(remit: TestActionPath) {
  const asked = await remit.act("send_email", mail);
  await remit.vote(asked);
  return asked;
}

/** How the one action of a test ended, and with which entry. */
async function ending(remit: TestActionPath, actionId: string) {
  const row = (await remit.actions()).find(({ id }) => id === actionId);
  return { state: row?.state, code: row?.code ?? null, terminal: terminalEntries(await remit.entries(actionId)).get(actionId) ?? [] };
}

test("[CTL-26][SAF-21] a grant is used once, however many servers look for it at the same moment", async () => {
  await using remit = await openTestActionPath();
  const servers = [remit, await remit.another(), await remit.another()];
  const asked = await granted(remit);
  const counts = await Promise.all([...servers, ...servers].map(({ path }) => path.executeGranted()));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1);
  expect(remit.upstream.calls).toHaveLength(1);
  expect(await ending(remit, asked.actionId)).toEqual({ state: "succeeded", code: null, terminal: ["action-succeeded"] });
});

test("[CTL-26][RUN-13][RUN-18] 64 equal calls at once on two servers are one request, and one execution after the grant", async () => {
  await using remit = await openTestActionPath();
  const other = await remit.another();
  const asked = await Promise.all(Array.from({ length: 64 }, (_, index) => (index % 2 === 0 ? remit : other).act("send_email", mail)));
  expect(new Set(asked.map(({ type, actionId }) => `${type} ${actionId}`)).size).toBe(1);
  const [first] = asked;
  if (first === undefined) throw new Error("nobody asked");
  await remit.vote(first);
  await Promise.all([remit.path.executeGranted(), other.path.executeGranted()]);
  expect(remit.upstream.calls).toHaveLength(1);
});

test("[CTL-26] other arguments, and another run, are other requests", async () => {
  await using remit = await openTestActionPath();
  const [one, two] = [await remit.run(), await remit.run()];
  const asked = [
    await remit.act("send_email", mail),
    await remit.act("send_email", { ...mail, body: "hello" }),
    await remit.act("send_email", mail, { caller: one }),
    await remit.act("send_email", mail, { caller: two }),
  ];
  expect(new Set(asked.map(({ actionId }) => actionId)).size).toBe(4);
});

test.each<[string, (remit: TestActionPath) => Promise<unknown>, string]>([
  [
    "policy forbids it by now",
    (remit) =>
      remit.apply({
        policy: `${mailWaits} @id("stop.mail") forbid (principal, action == Remit::Action::"helpdesk__send_email", resource);`,
      }),
    "policy-stop",
  ],
  ["policy asks somebody else by now", (remit) => remit.apply({ policy: mailWaits.replaceAll("support-lead", "finance") }), "policy-stop"],
  [
    "policy grants nothing any more",
    (remit) => remit.apply({ policy: `@id("none") permit (principal, action, resource) when { false };` }),
    "no-grant",
  ],
  ["the tool is another by now", (remit) => remit.apply({ tools: [{ name: "send_email", pin: pinOf("e") }] }), "tool-changed"],
  [
    "the tool has changed and nobody has accepted it",
    (remit) => remit.apply({ tools: [{ name: "send_email", state: "changed" }] }),
    "tool-changed",
  ],
  ["the agent's tier is lower by now", (remit) => remit.apply({ agents: [{ name: "support-agent", tier: 1 }] }), "tier-too-low"],
  [
    "the agent is suspended",
    (remit) => remit.apply({ agents: [{ name: "support-agent", suspended: { code: "no-accountable-human", reason: "ada has left" } }] }),
    "no-accountable-human",
  ],
  [
    "the agent no longer has the tool",
    (remit) => remit.apply({ agents: [{ name: "support-agent", tools: ["helpdesk__tickets.read"] }] }),
    "tool-not-granted",
  ],
  [
    "it is halted",
    (remit) =>
      remit.halts.engage(remit.person("ben"), { mode: "halt", scope: { type: "tool", name: "helpdesk__send_email" }, reason: "drill" }),
    "halted",
  ],
  [
    "safe mode is on",
    (remit) => remit.halts.engage(remit.person("ben"), { mode: "safe-mode", scope: { type: "everything" }, reason: "drill" }),
    "safe-mode",
  ],
  ["its arguments were erased", (remit) => remit.superuser.query("DELETE FROM payload_key"), "not-found"],
  [
    "its arguments were changed in the database",
    (remit) => remit.superuser.query("UPDATE ledger_payload SET ciphertext = set_byte(ciphertext, 20, get_byte(ciphertext, 20) # 1)"),
    "not-found",
  ],
])("[CTL-14][CTL-26] what was granted is judged again when it is to run: %s", async (_, change, code) => {
  await using remit = await openTestActionPath();
  const asked = await granted(remit);
  await change(remit);
  expect(await remit.path.executeGranted()).toBe(1);
  expect(remit.upstream.calls).toEqual([]);
  expect(await ending(remit, asked.actionId)).toEqual({ state: "denied", code, terminal: ["action-denied"] });
  expect((await remit.entries()).map(({ type }) => type)).toContain("approval-stale");
  expect(await remit.path.executeGranted()).toBe(0);
});

const pinOf = (digit: string) => ({
  description: "Sends a mail, and a copy to us",
  inputSchema: { type: "object", properties: { to: { type: "string" }, body: { type: "string" } } },
  outputSchema: null,
  digest: digit.repeat(64),
});

test("[CTL-26] a request that expires, is denied or cancelled ends its action with it, and the repeated call is told", async () => {
  await using remit = await openTestActionPath();
  const denied = await remit.act("send_email", { to: "a@example.com" });
  await remit.vote(denied, "deny");
  const cancelled = await remit.act("send_email", { to: "b@example.com" });
  if (cancelled.type !== "waiting") throw new Error(cancelled.type);
  await remit.approvals.cancel(cancelled.approvalId, remit.person("ben"), "no longer needed");
  const expired = await remit.act("send_email", { to: "c@example.com" });
  remit.clock.now += 5 * 3_600_000;
  await remit.approvals.catchUp(() => undefined);
  expect(await ending(remit, denied.actionId)).toMatchObject({ state: "rejected", terminal: ["action-rejected"] });
  expect(await ending(remit, cancelled.actionId)).toMatchObject({ state: "cancelled", terminal: ["action-cancelled"] });
  expect(await ending(remit, expired.actionId)).toMatchObject({ state: "expired", terminal: ["action-expired"] });
  for (const [to, actionId, code] of [
    ["a@example.com", denied.actionId, "approval-rejected"],
    ["b@example.com", cancelled.actionId, "approval-cancelled"],
    ["c@example.com", expired.actionId, "approval-expired"],
  ]) {
    expect(await remit.act("send_email", { to })).toMatchObject({ type: "denied", actionId, code });
  }
  expect(await remit.path.executeGranted()).toBe(0);
  expect(remit.upstream.calls).toEqual([]);
});

test("[CTL-26] a grant that is not used in time is not used any more", async () => {
  await using remit = await openTestActionPath();
  const asked = await granted(remit);
  remit.clock.now += 24 * 3_600_000;
  expect(await remit.path.executeGranted()).toBe(0);
  await remit.approvals.catchUp(() => undefined);
  expect(await ending(remit, asked.actionId)).toMatchObject({ state: "expired", terminal: ["action-expired"] });
});

test("[CTL-26] outside a run, the recorded outcome is given for a day after the end, and then the call is a new one", async () => {
  await using remit = await openTestActionPath();
  const asked = await granted(remit);
  await remit.path.executeGranted();
  remit.clock.now += 23 * 3_600_000;
  expect(await remit.act("send_email", mail)).toMatchObject({ type: "succeeded", actionId: asked.actionId });
  remit.clock.now += 2 * 3_600_000;
  expect((await remit.act("send_email", mail)).type).toBe("waiting");
});

test("[CTL-26] a call that is repeated while it runs waits for the outcome and runs nothing", async () => {
  await using remit = await openTestActionPath();
  let finish = (): void => undefined;
  const running = new Promise<void>((began) => {
    remit.upstream.answer = () =>
      new Promise((resolve) => {
        finish = () => resolve({ content: [{ type: "text", text: "sent" }] });
        began();
      });
  });
  const asked = await granted(remit);
  const executing = remit.path.executeGranted();
  await running;
  const repeated = remit.act("send_email", mail);
  finish();
  expect(await repeated).toMatchObject({ type: "succeeded", actionId: asked.actionId, result: { content: [{ text: "sent" }] } });
  await executing;
  expect(remit.upstream.calls).toHaveLength(1);
});

test("[CTL-26] a grant whose execution hangs holds up no other", async () => {
  await using remit = await openTestActionPath();
  remit.upstream.answer = (call) => (call.arguments["to"] === "slow@example.com" ? hang(call) : { content: [] });
  await remit.vote(await remit.act("send_email", { to: "slow@example.com" }));
  const slow = remit.path.executeGranted();
  const second = await remit.act("send_email", { to: "fast@example.com" });
  await remit.vote(second);
  expect(await remit.path.executeGranted()).toBe(1);
  expect(await ending(remit, second.actionId)).toMatchObject({ state: "succeeded" });
  remit.deps.inFlight.close();
  expect(await slow).toBe(1);
});

test("[CTL-29] a question to people takes one of the run's actions, which a denial does not give back: asking is not free", async () => {
  await using remit = await openTestActionPath();
  const caller = await remit.run({ maxActions: 2 });
  const asked = await remit.act("send_email", mail, { caller });
  await remit.vote(asked, "deny");
  expect((await remit.act("tickets.read", { id: "1" }, { caller })).type).toBe("succeeded");
  expect(await remit.act("tickets.read", { id: "2" }, { caller })).toMatchObject({ type: "denied", code: "run-limit-reached" });
});

test("[CTL-13][AUD-01] a request that nobody could decide is a recorded denial, and its neighbours of the same moment are not touched", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted });
  // The team is there and its members are not: registered so, and refused when it is asked.
  await remit.apply({ policy: mailWaits, parties: ["ben", "cleo"].map((name) => ({ name, active: false })) });
  const [read, asked] = await Promise.all([remit.act("tickets.read", { id: "1" }), remit.act("send_email", mail)]);
  expect(read?.type).toBe("succeeded");
  expect(asked).toMatchObject({ type: "denied", code: "invalid-configuration" });
  expect(await ending(remit, asked?.actionId ?? "")).toMatchObject({ state: "denied", terminal: ["action-denied"] });
});
