import { expect, test } from "vitest";
import { openTestActionPath } from "./action-path.testing.ts";

const mail = (number: number) => ({ to: "kim@example.com", body: `Hello ${number}` });
const constraints = { may: [], asks: [], never: [], pendingApprovals: 3 };

test("[CTL-26][CTL-29] an agent has no more calls wait for people at a time than it may, however many it makes at once, on however many servers", async () => {
  await using remit = await openTestActionPath({ agents: [{ name: "support-agent", constraints }] });
  const other = await remit.another();
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? remit : other).act("send_email", mail(index))),
  );
  expect(outcomes.filter(({ type }) => type === "waiting")).toHaveLength(3);
  const [refused] = outcomes.filter(({ type }) => type === "denied");
  expect(refused).toMatchObject({ code: "approvals-full", reason: expect.stringContaining("3 calls of support-agent wait") as string });
  expect(outcomes.filter(({ type }) => type === "denied")).toHaveLength(9);
  // What needs nobody goes on, and so does the same call that waits already.
  expect((await remit.act("tickets.read", { id: "1" })).type).toBe("succeeded");
  const first = outcomes.findIndex(({ type }) => type === "waiting");
  expect(await remit.act("send_email", mail(first))).toMatchObject({ type: "waiting", actionId: outcomes[first]?.actionId });

  // One that is decided makes room for one.
  const waits = outcomes[first];
  if (waits === undefined) throw new Error("none waits");
  await remit.vote(waits, "deny");
  expect((await remit.act("send_email", mail(20))).type).toBe("waiting");
  expect(await remit.act("send_email", mail(21))).toMatchObject({ type: "denied", code: "approvals-full" });
});

test("[CTL-29] a run's own limit bounds what waits in it; another agent has a number of its own", async () => {
  await using remit = await openTestActionPath({
    agents: [{ name: "support-agent", constraints: { ...constraints, pendingApprovals: 1 } }, { name: "other-agent" }],
  });
  expect((await remit.act("send_email", mail(1))).type).toBe("waiting");
  expect((await remit.act("send_email", mail(2))).type).toBe("denied");
  const inRun = await remit.run();
  expect((await remit.act("send_email", mail(3), { caller: inRun })).type).toBe("waiting");
  const { version = "" } = remit.registry().agents.get("other-agent") ?? {};
  const caller = { ...remit.caller, agent: "other-agent", version };
  expect((await remit.act("send_email", mail(4), { caller })).type).toBe("waiting");
});
