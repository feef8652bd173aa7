import type { Caller, Decision } from "@remit/contract";
import { pino } from "pino";
import { expect, test } from "vitest";
import { approvalStore } from "../approval/approval.postgres.ts";
import { createApprovals } from "../approval/approval.service.ts";
import { testRegistry, voteOn } from "../approval/approval.testing.ts";
import { newId } from "../id/new-id.ts";
import { openTestLedger } from "../ledger/ledger.testing.ts";
import { createTracing } from "../telemetry/otlp-tracing.ts";
import { openReceiver } from "../telemetry/otlp-receiver.testing.ts";
import type { UpstreamCall } from "../upstream/upstreams.ts";
import { createActionJournal } from "./action.journal.postgres.ts";
import { createActionPath } from "./action.pipeline.ts";
import { actionSpanId } from "./action-trace.ts";
import { createInFlight } from "./in-flight.ts";
import { createNormaliser } from "./normalise.ts";
import { createWaitingActions } from "./waiting-actions.postgres.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

/** Reads are allowed; what else there is waits for a person, and is allowed once he has agreed. */
function decideByApproval(approvals: readonly string[], effect: string): Decision {
  const policies = ["grants.everything", "mail.ask"];
  if (effect === "read" || approvals.includes("support-lead")) return { type: "allow", obligations: [], policies, shadow: [] };
  return { type: "require-approval", approvals: [{ team: "support-lead", gates: ["mail.ask"] }], obligations: [], policies, shadow: [] };
}

/** The path of actions with its own database, ledger, people and spans; policy and upstream are as simple as can be. */
async function openPath(endpoint: string) {
  const test = await openTestLedger();
  const { database, ledger } = test;
  const logger = pino({ level: "silent" });
  const tracing = await createTracing({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, logger });
  const registry = { current: () => known };
  const known = testRegistry();
  const clock = { now: Date.UTC(2026, 10, 21, 9) };
  const now = (): Date => new Date(clock.now);
  const instance = "00000000-0000-7000-8000-000000000001";
  const waiting = createWaitingActions({ database, ledger, tracing, registry, newId });
  const publicUrl = new URL("http://localhost:4680");
  const options = { database, store: approvalStore, ledger, registry, waiting, outcomes: waiting, payloads: ledger, publicUrl, now, newId };
  const approvals = createApprovals(options);
  const journal = createActionJournal({ database, ledger, approvals, instance });
  const [epoch] = await database.query<{ epoch: string }>("SELECT epoch FROM control_state");
  const calls: UpstreamCall[] = [];
  const path = createActionPath({
    registry,
    control: { epoch: () => Number(epoch?.epoch ?? 0), refresh: async () => undefined, confirmed: async () => undefined },
    halts: { current: () => [] },
    policy: { couldAllow: () => true, decide: (_registry, _policy, request) => decideByApproval(request.approvals, request.effect) },
    journal,
    approvals,
    payloads: ledger,
    upstreams: {
      async call(call) {
        calls.push(call);
        return { content: [{ type: "text", text: "done" }] };
      },
    },
    normaliser: createNormaliser(),
    inFlight: createInFlight(),
    tracing,
    logger,
    now,
    newId,
    crash: () => undefined,
  });
  const agent = known.agents.get("support-agent");
  const caller: Caller = {
    agent: "support-agent",
    version: agent?.version ?? "",
    accountable: "ada",
    environment: "staging",
    policy: "customer_support_tier1_v3",
    run: null,
    tokenId: "tok_1",
    expiresAt: Number.MAX_SAFE_INTEGER,
  };
  const ben = { party: "ben", roles: [], sessionId: newId("session"), linkedBy: "service:machine" };
  return {
    tracing,
    approvals,
    clock,
    calls,
    path,
    ben,
    act: (tool: string, given: object) => path.act(caller, { tool, arguments: given, traceparent, signal: new AbortController().signal }),
    [Symbol.asyncDispose]: async () => {
      await tracing.stop();
      await journal.idle();
      await test[Symbol.asyncDispose]();
    },
  };
}

const minutes = (count: number): number => count * 60_000;
const inNanoseconds = (ms: number): string => `${ms}000000`;

test("[OBS-01][OBS-02] an action, its decision, the wait for a person and what follows are one trace", async () => {
  await using receiver = await openReceiver();
  await using server = await openPath(receiver.url);
  const { approvals, clock, ben } = server;
  const read = await server.act("helpdesk__tickets.read", { id: "1" });
  const asked = await server.act("helpdesk__send_email", { to: "kim@example.com", body: "canary-7" });
  const refused = await server.act("helpdesk__send_email", { to: "lee@example.com" });
  const ignored = await server.act("helpdesk__send_email", { to: "moe@example.com" });
  if (read.type !== "succeeded" || asked.type !== "waiting" || refused.type !== "waiting" || ignored.type !== "waiting")
    throw new Error(JSON.stringify({ read, asked, refused, ignored }));

  const askedAt = clock.now;
  clock.now += minutes(30);
  await approvals.vote(asked.approvalId, ben, voteOn(await approvals.get(asked.approvalId, ben), "approve"));
  await approvals.vote(refused.approvalId, ben, voteOn(await approvals.get(refused.approvalId, ben), "deny"));
  expect(await server.path.executeGranted()).toBe(1);
  clock.now += minutes(60 * 24);
  while ((await approvals.catchUp(() => undefined)) > 0);
  await server.tracing.stop();

  const { spans } = receiver;
  const of = (name: string, actionId: string) =>
    spans.filter((span) => span.name === name && span.attributes["remit.action.id"] === actionId);
  expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceId]));

  const mail = "helpdesk__send_email";
  const [attempt, execution] = [`tools/call ${mail}`, `execute_tool ${mail}`].flatMap((name) => of(name, asked.actionId));
  expect(attempt).toMatchObject({ parentSpanId: "b7ad6b7169203331", spanId: actionSpanId(asked.actionId) });
  expect(execution).toMatchObject({ parentSpanId: attempt?.spanId, attributes: { "remit.outcome": "succeeded" } });
  const policies = { "remit.policy": "customer_support_tier1_v3", "remit.policies": "grants.everything mail.ask" };
  expect(of(`decide ${mail}`, asked.actionId)).toMatchObject([
    { parentSpanId: attempt?.spanId, attributes: { ...policies, "remit.verdict": "require-approval" } },
    { parentSpanId: execution?.spanId, attributes: { ...policies, "remit.verdict": "allow" } },
  ]);
  expect(of("decide helpdesk__tickets.read", read.actionId)).toMatchObject([{ attributes: { "remit.verdict": "allow" } }]);
  for (const [{ actionId }, outcome, ended] of [
    [asked, "granted", askedAt + minutes(30)],
    [refused, "rejected", askedAt + minutes(30)],
    [ignored, "expired", askedAt + minutes(30 + 60 * 24)],
  ] as const) {
    expect(of(`approval wait ${mail}`, actionId)).toMatchObject([
      {
        parentSpanId: actionSpanId(actionId),
        startTimeUnixNano: inNanoseconds(askedAt),
        endTimeUnixNano: inNanoseconds(ended),
        attributes: { "remit.approval.outcome": outcome },
      },
    ]);
  }
  // The upstream hangs its own spans below the call's, which is the execution's.
  const [called] = of("tools/call send_email", asked.actionId);
  expect(called).toMatchObject({ parentSpanId: execution?.spanId });
  expect(server.calls.at(-1)?.traceparent).toBe(`00-${traceId}-${called?.spanId}-01`);
  expect(JSON.stringify(spans)).not.toContain("canary-7");
});
