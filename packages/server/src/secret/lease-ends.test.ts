import type { Id } from "@remit/contract";
import { buildRegistry } from "@remit/core/testing";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createInFlight } from "../action/in-flight.ts";
import { haltStore } from "../halt/halt.postgres.ts";
import { createHalts } from "../halt/halt.service.ts";
import { newId } from "../id/new-id.ts";
import { testMasterKey } from "../ledger/ledger.testing.ts";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import { operator, openTestRuns } from "../run/run.testing.ts";
import { createCredentials } from "./credentials.ts";
import { grantStore } from "./grant.postgres.ts";
import { createKnownSecrets } from "./known-secrets.ts";
import { leaseStore } from "./lease.postgres.ts";
import { patient, requestOf, testBy, testCredential, testUpstream } from "./secret.testing.ts";
import { secretStore } from "./secret.postgres.ts";

const upstream = testUpstream("crm", "crm-token");
const credential = testCredential("crm-token", { type: "secret", secret: "crm/token" }, { type: "bearer" });

/** Runs, halts and credentials on one database, as a server has them. */
async function openWorld() {
  const world = await openTestRuns(buildRegistry({ upstreams: [upstream], credentials: [credential] }));
  const { database, ledger, control } = world;
  const now = () => new Date();
  let halts: ReturnType<typeof createHalts> | null = null;
  const credentials = createCredentials({
    database,
    stores: { secrets: secretStore, leases: leaseStore, grants: grantStore },
    masterKey: testMasterKey,
    ledger,
    registry: world.identity.registry,
    halts: { current: () => halts?.current() ?? [] },
    control,
    known: createKnownSecrets(),
    outbound: createOutbound(),
    publicUrl: () => new URL("http://localhost:4680"),
    logger: pino({ level: "silent" }),
    now,
    clockEveryMs: 3_600_000,
  });
  halts = createHalts({
    database,
    store: haltStore,
    ledger,
    control,
    inFlight: createInFlight(),
    haltRun: () => Promise.resolve(false),
    revokeLeases: credentials.leases.revokeIn,
    now,
    newId,
  });
  control.onChange(() => credentials.broker.lookAgain());
  await credentials.secrets.set({ path: "crm/token", value: "a-token-of-the-crm" }, operator);
  return {
    ...world,
    ...credentials,
    halting: halts,
    async [Symbol.asyncDispose]() {
      await credentials.stop();
      await world[Symbol.asyncDispose]();
    },
  };
}

test("[CTL-05][CTL-07] leases end with their run, in the same transaction, and the ledger says so", async () => {
  await using world = await openWorld();
  await world.enqueue("ticket-1");
  const { run } = await world.start();
  const id = run.id as Id<"run">;
  const lease = await world.broker.lease(requestOf(upstream, testBy({ run: id })), patient());
  const other = await world.broker.lease(requestOf(upstream, testBy()), patient());
  await world.runs.end(id, operator, { outcome: "completed", reason: "done" });
  const listed = await world.leases.list({ limit: 50, live: true });
  expect(listed.items.map((item) => item.id)).toEqual([other?.id]);
  await world.clock.catchUp();
  expect(lease?.ended.reason).toMatchObject({
    code: "halted",
    message: expect.stringContaining("the run has ended (completed)") as string,
  });
  expect(other?.ended.aborted).toBe(false);
  expect(await world.entries("credential-revoked")).toMatchObject([{ data: { scope: `run ${id}`, leases: 1 } }]);
});

test.each([
  ["an agent", { type: "agent", name: "support-agent" }],
  ["an upstream", { type: "upstream", name: "crm" }],
  ["an environment", { type: "environment", name: "production" }],
  ["everything", { type: "everything" }],
] as const)("[SAF-01][CTL-07] halting %s takes its leases back at once and gives none out; safe mode takes none", async (_, scope) => {
  await using world = await openWorld();
  const ben = { party: "ben", roles: ["operator" as const], linkedBy: "service:machine", sessionId: newId("session") } as never;
  const by = testBy();
  const lease = await world.broker.lease(requestOf(upstream, by), patient());
  await world.halting.engage(ben, { mode: "safe-mode", scope, reason: "a drill" });
  expect(lease?.ended.aborted).toBe(false);
  await world.halting.engage(ben, { mode: "halt", scope, reason: "a leak" });
  expect(lease?.ended.reason).toMatchObject({ code: "halted" });
  await expect(world.broker.lease(requestOf(upstream, by), patient())).rejects.toMatchObject({ code: "halted" });
});
