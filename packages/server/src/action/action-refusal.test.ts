import type { ActionOutcome, Caller, Json } from "@remit/contract";
import { RemitError } from "@remit/contract";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCedarEngine } from "../policy/cedar-engine.ts";
import {
  type PathOverrides,
  type TestActionPath,
  done,
  everythingGranted,
  mailWaits,
  openTestActionPath,
  terminalEntries,
} from "./action-path.testing.ts";

/** A refusal is recorded in the words in which it was told, but for names that the call has made up. */
async function expectRecordedAsTold(remit: TestActionPath, outcome: ActionOutcome, recorded?: RegExp): Promise<void> {
  if (outcome.type !== "denied") throw new Error(outcome.type);
  const { code, reason, policies } = outcome;
  const said = (await remit.entries(outcome.actionId)).map(({ data }) => data);
  expect(said).toEqual([
    expect.objectContaining({ code, reason: recorded === undefined ? reason : expect.stringMatching(recorded), policies }),
  ]);
}

/** The one row and the one terminal entry that an attempt has left. */
async function left(remit: TestActionPath, actionId: string) {
  const row = (await remit.actions()).find(({ id }) => id === actionId);
  return { state: row?.state, code: row?.code ?? null, terminal: terminalEntries(await remit.entries(actionId)).get(actionId) ?? [] };
}

const nested = (depth: number): Json => (depth === 0 ? 1 : [nested(depth - 1)]);
const open = { description: "Anything", inputSchema: { type: "object" }, outputSchema: null, digest: "a".repeat(64) };
const address = {
  description: "An address",
  inputSchema: { type: "object", properties: { to: { type: "object", properties: { city: { type: "string" } } } } },
  outputSchema: null,
  digest: "b".repeat(64),
};

let remit: TestActionPath;
beforeAll(async () => {
  remit = await openTestActionPath({ policy: everythingGranted });
});
afterAll(() => remit[Symbol.asyncDispose]());

/** What the last row has put in force: putting something in force takes a while. */
let pinned: typeof open | undefined;

type Bad = { name: string; tool?: string; args: unknown; pin?: typeof open; key?: string; code?: string; says?: RegExp; recorded?: RegExp };
const unnamed = /the arguments, in a member that the schema does not name: /;
test.each<Bad>([
  { name: "an undeclared member", args: { id: "1", admin: true }, says: /\/admin is not declared/, recorded: unnamed },
  {
    name: "an undeclared member further down",
    tool: "tickets.read",
    pin: address,
    args: { to: { city: "Bonn", admin: true } },
    says: /\/to\/admin is not declared/,
    recorded: /: \/to, in a member that the schema does not name: is not declared by the tool \(it declares [^)]*\)\.$/,
  },
  {
    name: "a member called __proto__",
    args: JSON.parse('{"id":"1","__proto__":{"admin":true}}') as Json,
    says: /__proto__ is not declared/,
    recorded: unnamed,
  },
  {
    name: "a member called __extn",
    args: { id: "1", __extn: { fn: "ip", arg: "127.0.0.1" } },
    says: /__extn is not declared/,
    recorded: unnamed,
  },
  { name: "Cedar's escape in place of text", args: { id: { __extn: { fn: "decimal", arg: "1.0" } } }, says: /\/id must be string/ },
  { name: "a number for text", args: { id: 7 }, says: /\/id must be string/ },
  { name: "nothing where something is required", args: {}, says: /required property 'id'/ },
  { name: "no arguments", args: undefined, says: /required property 'id'/ },
  { name: "null", args: null, says: /must be an object/ },
  { name: "an array", args: ["1"], says: /must be an object/ },
  { name: "text", args: '{"id":"1"}', says: /must be an object/ },
  { name: "a lone surrogate", args: { id: "\ud800" }, says: /lone surrogate at \/id/ },
  { name: "a lone surrogate in a name", args: { "\ud800": 1 }, says: /lone surrogate/ },
  { name: "nesting beyond the cap", pin: open, args: { a: nested(100) }, says: /nesting deeper than 64/, recorded: unnamed },
  { name: "nesting that fits alone and not in what is digested", pin: open, args: { a: nested(63) }, says: /nesting/, recorded: unnamed },
  { name: "negative zero", pin: open, args: { a: -0 }, says: /negative zero/, recorded: unnamed },
  { name: "an integer that no reader agrees on", pin: open, args: { a: 2 ** 60 }, says: /2\^53/, recorded: unnamed },
  {
    name: "a fraction as an amount",
    tool: "refund.create",
    args: { amountCents: 0.5, currency: "EUR" },
    says: /\/amountCents must be integer/,
  },
  { name: "a negative amount", tool: "refund.create", args: { amountCents: -1, currency: "EUR" }, says: /\/amountCents must be >= 0/ },
  { name: "an amount beyond 2^53", tool: "refund.create", args: { amountCents: 1e300, currency: "EUR" }, says: /2\^53/ },
  { name: "an amount as text", tool: "refund.create", args: { amountCents: "5", currency: "EUR" }, says: /\/amountCents must be integer/ },
  {
    name: "no amount where the schema is open",
    tool: "refund.create",
    pin: open,
    args: { currency: "EUR" },
    says: /\/amountCents must be a whole/,
  },
  {
    name: "a member's name that is longer than an entry may be",
    args: { id: "1", ["x".repeat(100_000)]: 1 },
    says: /…$/,
    recorded: unnamed,
  },
  { name: "a tool that is not registered", tool: "wipe", args: {}, code: "unknown-tool" },
  { name: "a tool's name with U+0000", tool: "a\0b", args: {}, code: "unknown-tool" },
  { name: "a tool's name that is no text that can be written", tool: "a\ud800", args: {}, code: "unknown-tool" },
  { name: "a tool's name without end", tool: "a".repeat(100_000), args: {}, code: "unknown-tool" },
  { name: "an idempotency key with U+0000", args: { id: "1" }, key: "a\0b", code: "invalid-request" },
  { name: "an idempotency key that is no text that can be written", args: { id: "1" }, key: "\udfff", code: "invalid-request" },
  { name: "an idempotency key without end", args: { id: "1" }, key: "k".repeat(10_000), code: "invalid-request" },
])(
  "[CTL-19][AUD-01][AUD-12] $name is a recorded denial that says what is wrong",
  async ({ tool = "tickets.read", args, pin, key, code = "invalid-arguments", says = /./, recorded }) => {
    if (pin !== pinned) await remit.apply(pin === undefined ? {} : { tools: [{ name: tool, pin }] });
    pinned = pin;
    const outcome = await remit.act(tool, args, key === undefined ? {} : { idempotencyKey: key });
    expect(outcome).toMatchObject({ type: "denied", code, reason: expect.stringMatching(says) as string });
    expect(await left(remit, outcome.actionId)).toEqual({ state: "denied", code, terminal: ["action-denied"] });
    await expectRecordedAsTold(remit, outcome, recorded);
    expect(remit.upstream.calls).toEqual([]);
  },
);

const unlike = (more: Partial<Caller>) => (remit: TestActionPath) => ({ ...remit.caller, ...more });
type Denied = { name: string; code: string; overrides?: PathOverrides; caller?: (remit: TestActionPath) => Caller };
test.each<Denied>([
  { name: "an agent that is not registered", code: "unknown-agent", caller: unlike({ agent: "ghost" }) },
  { name: "a token of an older version", code: "token-revoked", caller: unlike({ version: "f".repeat(64) }) },
  { name: "an environment that is not granted", code: "environment-not-granted", caller: unlike({ environment: "production" }) },
  { name: "a policy set that is not granted", code: "policy-missing", caller: unlike({ policy: "lenient" }) },
  {
    name: "a run that does not exist",
    code: "run-ended",
    caller: (remit) => ({
      ...remit.caller,
      run: { id: `run_${"0".repeat(32)}`, maxActions: 5, requireApproval: [] } as unknown as Caller["run"],
    }),
  },
  { name: "[CTL-08] a tier that does not reach", code: "tier-too-low", overrides: { agents: [{ name: "support-agent", tier: 1 }] } },
  {
    name: "no grant",
    code: "no-grant",
    overrides: { policy: '@id("g") permit (principal, action == Remit::Action::"helpdesk__tickets.read", resource);' },
  },
  {
    name: "a stop",
    code: "policy-stop",
    overrides: { policy: `${everythingGranted} @id("s") @reason("Not today.") forbid (principal, action, resource);` },
  },
  {
    name: "a schema that does not compile",
    code: "tool-changed",
    overrides: { tools: [{ name: "send_email", pin: { ...open, inputSchema: { type: "nonsense" } } }] },
  },
  {
    name: "a schema that refers to nothing",
    code: "tool-changed",
    overrides: { tools: [{ name: "send_email", pin: { ...open, inputSchema: { $ref: "https://elsewhere.example/schema" } } }] },
  },
  {
    name: "a policy engine that throws",
    code: "policy-error",
    overrides: {
      engine: {
        ...createCedarEngine(),
        decide: () => {
          throw new Error("it is broken");
        },
      },
    },
  },
  {
    name: "a policy set that was never prepared",
    code: "policy-missing",
    overrides: { engine: { ...createCedarEngine(), prepare: async () => undefined } },
  },
])("[CTL-37][AUD-01][AUD-12] $name: denied as $code, and recorded", async ({ code, overrides, caller }) => {
  await using remit = await openTestActionPath(overrides);
  const outcome = await remit.act("send_email", { to: "kim@example.com" }, caller === undefined ? {} : { caller: caller(remit) });
  expect(outcome).toMatchObject({ type: "denied", code });
  expect(await left(remit, outcome.actionId)).toEqual({ state: "denied", code, terminal: ["action-denied"] });
  await expectRecordedAsTold(remit, outcome);
  expect(remit.upstream.calls).toEqual([]);
});

test("[CTL-04][CTL-37] what is not listed is denied whatever the arguments, and what is listed can be called with some", async () => {
  const policies = [
    everythingGranted,
    mailWaits,
    '@id("r") permit (principal, action in Remit::Action::"read", resource);',
    `${mailWaits} @id("s") forbid (principal, action == Remit::Action::"helpdesk__refund.create", resource);`,
  ];
  const registryOf = fc.record({
    policy: fc.constantFrom(...policies),
    tier: fc.constantFrom(0 as const, 1 as const, 2 as const),
    state: fc.constantFrom("accepted" as const, "changed" as const),
    granted: fc.subarray(["helpdesk__tickets.read", "helpdesk__send_email", "helpdesk__refund.create", "helpdesk__tickets.draft_reply"]),
  });
  // Each round its own: the same call again would attach to what still waits from an earlier round.
  let round = 0;
  const samples = (): Record<string, Json> => ({
    "tickets.read": { id: `${round}` },
    send_email: { to: `kim${round}@example.com` },
    "refund.create": { amountCents: round, currency: "EUR" },
    "tickets.draft_reply": { id: `${round}`, body: "b" },
  });
  await using remit = await openTestActionPath();
  await fc.assert(
    fc.asyncProperty(registryOf, fc.object({ maxDepth: 2 }), async ({ policy, tier, state, granted: tools }, noise) => {
      await remit.apply({ policy, tools: [{ name: "tickets.read", state }], agents: [{ name: "support-agent", tier, tools }] });
      const listed = new Set(remit.path.list(remit.caller).map(({ tool }) => tool.spec.name));
      round += 1;
      for (const [tool, args] of Object.entries(samples())) {
        const { type } = await remit.act(tool, args);
        expect([tool, type]).toEqual([tool, listed.has(tool) ? expect.stringMatching(/succeeded|waiting/) : "denied"]);
        if (!listed.has(tool)) expect((await remit.act(tool, { ...(args as object), ...noise })).type).toBe("denied");
      }
    }),
    { numRuns: 12 },
  );
});

test("[CTL-37] with a control state that was not confirmed in time nothing is listed and nothing happens, until it is confirmed", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted });
  Object.assign(remit.faults, { monotonicMs: 10_000, databaseDown: true });
  expect(() => remit.path.list(remit.caller)).toThrowError(expect.objectContaining({ code: "control-state-stale" }));
  expect((await remit.act("tickets.read", { id: "1" })).type).toBe("denied");
  expect(remit.upstream.calls).toEqual([]);
  remit.faults.databaseDown = false;
  expect((await remit.act("tickets.read", { id: "1" })).type).toBe("succeeded");
});

test("[CTL-37][AUD-01] a control state that keeps changing is a recorded denial", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted });
  const outcome = await remit.deps.journal.idle().then(async () => {
    // Another server's copy never catches up: each time that it looks, somebody has changed something.
    const other = await remit.another();
    other.deps.control = { epoch: () => 0, refresh: async () => undefined, confirmed: async () => undefined };
    return other.act("tickets.read", { id: "1" });
  });
  expect(outcome).toMatchObject({ type: "denied", code: "control-state-stale" });
  expect(await left(remit, outcome.actionId)).toMatchObject({ terminal: ["action-denied"] });
});

test("[CTL-37] without a ledger nothing happens: an intent that cannot be committed is no intent", async () => {
  await using remit = await openTestActionPath({ policy: mailWaits });
  remit.faults.beforeCommit = () => {
    throw new RemitError("ledger-unavailable", "the disk is full");
  };
  expect(await remit.act("tickets.read", { id: "1" })).toMatchObject({ type: "denied", code: "ledger-unavailable" });
  expect(await remit.act("send_email", { to: "kim@example.com" })).toMatchObject({ type: "denied", code: "ledger-unavailable" });
  remit.faults.beforeCommit = null;
  remit.faults.databaseDown = true;
  expect(await remit.act("tickets.read", { id: "1" })).toMatchObject({ type: "denied", code: "database-unavailable" });
  expect(remit.upstream.calls).toEqual([]);
  remit.faults.databaseDown = false;
  // State and entries commit together: neither is there.
  expect([await remit.actions(), await remit.entries()]).toEqual([[], []]);
  expect(await remit.database.query("SELECT FROM approval")).toEqual([]);
});

test("[AUD-14] an outcome that cannot be recorded because the database is away is recorded when it is back", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted });
  remit.upstream.answer = () => {
    remit.faults.databaseDown = true;
    setTimeout(() => (remit.faults.databaseDown = false), 300);
    return done;
  };
  const outcome = await remit.act("tickets.read", { id: "1" });
  expect(outcome.type).toBe("succeeded");
  expect(await left(remit, outcome.actionId)).toEqual({ state: "succeeded", code: null, terminal: ["action-succeeded"] });
  // While it could not be recorded nobody took it for lost.
  expect(remit.deps.inFlight.isHeld(outcome.actionId)).toBe(false);
});

test("[AUD-14] an intent whose commit was not confirmed is not executed, and ends as unknown although its server lives", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted });
  const { journal } = remit.deps;
  const lost = {
    ...journal,
    begin: async (...args: Parameters<typeof journal.begin>) =>
      journal.begin(...args).then(() => Promise.reject(new RemitError("database-unavailable", "the connection ended"))),
  };
  remit.deps.journal = lost;
  const outcome = await remit.act("tickets.read", { id: "1" });
  expect(outcome).toMatchObject({ type: "denied" });
  expect(remit.upstream.calls).toEqual([]);
  const entries = (row: { id: string }) => ({
    entry: {
      id: `ent_${row.id.slice(4)}` as never,
      type: "action-unknown" as const,
      at: new Date(remit.clock.now).toISOString(),
      actor: "service:remit",
      actionId: row.id as never,
      data: {},
    },
    also: [],
  });
  expect(await journal.endLost(() => true, entries)).toEqual([]);
  expect(await journal.endLost((id) => remit.deps.inFlight.isHeld(id), entries)).toMatchObject([{ id: outcome.actionId }]);
  expect(await left(remit, outcome.actionId)).toMatchObject({ state: "unknown", terminal: ["action-unknown"] });
});
