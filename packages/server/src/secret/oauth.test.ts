import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { pino } from "pino";
import type { UpstreamFleet } from "../upstream/upstreams.service.ts";
import { createUpstreams } from "../upstream/upstreams.service.ts";
import { browse, openTestOAuthServer } from "./oauth-server.testing.ts";
import { openTestCredentials, patient, requestOf, testBy, testCredential, testUpstream } from "./secret.testing.ts";
import type { TestCredentials } from "./secret.testing.ts";

const machine = { type: "oauth-client", client: { id: "remit-machine", secret: "crm/client" } };
const callback = "http://127.0.0.1:4680/connect/callback";

function fleetOf(test: TestCredentials, upstream: string): UpstreamFleet & AsyncDisposable {
  const logger = pino({ level: "silent" });
  const fleet = createUpstreams({
    logger,
    now: () => new Date(),
    rootDir: ".",
    broker: test.broker,
    backoff: { firstMs: 20, maxMs: 50, stableAfterMs: 1_000 },
  });
  fleet.reconcile([test.upstream(upstream)]);
  return { ...fleet, [Symbol.asyncDispose]: () => fleet.stop() };
}

const call = (upstream: string, by = testBy()) => ({ upstream, tool: "whoami", arguments: {}, timeoutMs: 50_000, signal: patient(), by });

async function connect(test: TestCredentials, upstream: string, person: string | null = null): Promise<void> {
  const { url } = await test.grants.begin({ upstream, credential: null, person, startedBy: "party:ada" });
  const back = (await browse(url, callback)).searchParams;
  await test.grants.finish({ state: back.get("state") ?? "", code: back.get("code"), error: back.get("error"), iss: back.get("iss") });
}

test("[CTL-23] client credentials: found by its metadata, let in, and asked for more when the upstream wants more", async () => {
  await using server = await openTestOAuthServer();
  const spec = testUpstream("crm", "crm-token", { transport: { type: "http", url: server.upstreamUrl } });
  await using test = await openTestCredentials([spec], [testCredential("crm-token", machine, { type: "bearer" })]);
  await test.secrets.set({ path: "crm/client", value: "machine-secret-0123456789" }, "party:ada");
  await using fleet = fleetOf(test, "crm");
  expect(await fleet.offered("crm")).toMatchObject([{ name: "whoami" }]);
  const result = await fleet.call(call("crm"));
  // The upstream says what it was shown; nobody hears it.
  expect(result.content).toEqual([{ type: "text", text: "you came with Bearer [redacted]" }]);
  expect(server.grants).toHaveLength(1);
  server.demand("contacts contacts:write");
  expect(await fleet.call(call("crm"))).toMatchObject({ content: [{ type: "text" }] });
  expect(server.grants).toHaveLength(2);
  server.demand("admin");
  await expect(fleet.call(call("crm"))).rejects.toThrow();
});

test("[CTL-23] a person's consent: the error names the command, the token is refreshed once for all who wait, on every server", async () => {
  await using server = await openTestOAuthServer({ tokenSeconds: 60 });
  const spec = testUpstream("crm", "crm-user", { transport: { type: "http", url: server.upstreamUrl } });
  await using test = await openTestCredentials([spec], [testCredential("crm-user", { type: "oauth-user" }, { type: "bearer" })]);
  await using fleet = fleetOf(test, "crm");
  await expect(fleet.offered("crm")).rejects.toThrow("remit connect crm");
  await connect(test, "crm");
  expect(await test.grants.list()).toMatchObject([{ state: "connected", upstream: "crm", person: "" }]);
  const second = test.another();
  const before = server.grants.length;
  test.later(45_000);
  const leases = await Promise.all(
    [test.broker, second.broker].flatMap((broker) => Array.from({ length: 4 }, () => broker.lease(requestOf(spec, testBy()), patient()))),
  );
  expect(new Set(leases.map((lease) => lease?.headers["authorization"])).size).toBe(1);
  expect(server.grants.length - before).toBe(1);
  expect(JSON.stringify(await test.superuser.query("SELECT * FROM credential_grant"))).not.toContain(
    leases[0]?.headers["authorization"]?.slice(7) ?? "-",
  );
});

test("[CTL-23] an end is loud: recorded once, whoever can mend it is told, and every call says what to do; what may pass is no end", async () => {
  await using server = await openTestOAuthServer({ tokenSeconds: 60 });
  const spec = testUpstream("crm", "crm-user", { transport: { type: "http", url: server.upstreamUrl } });
  await using test = await openTestCredentials(
    [spec],
    [testCredential("crm-user", { type: "oauth-user", per: "person" }, { type: "bearer" })],
  );
  await connect(test, "crm", "ben");
  const by = () => requestOf(spec, testBy({ person: "ben" }));
  expect(await test.broker.lease(by(), patient())).toMatchObject({
    headers: { authorization: expect.stringMatching(/^Bearer /) as string },
  });
  test.later(45_000);
  server.breakTokens("down");
  await expect(test.broker.lease(by(), patient())).rejects.toMatchObject({ code: "credential-unavailable" });
  server.breakTokens("no");
  for (let time = 0; time < 2; time += 1) {
    await expect(test.broker.lease(by(), patient())).rejects.toMatchObject({
      code: "credential-expired",
      message: expect.stringMatching(/ben renews it with: remit connect crm/) as string,
    });
  }
  const entries = (await test.entries()).filter(({ type }) => type === "credential-expired" || type === "notification-recorded");
  expect(entries.map(({ type, data }) => [type, data["to"] ?? data["person"]])).toEqual([
    ["credential-expired", "ben"],
    ["notification-recorded", ["ben", "ada"]],
  ]);
  server.breakTokens(null);
  await connect(test, "crm", "ben");
  expect(await test.broker.lease(by(), patient())).not.toBeNull();
});

test("[CTL-23] each call goes as the person who answers for its agent, and nobody else's grant is used", async () => {
  await using server = await openTestOAuthServer();
  const spec = testUpstream("crm", "crm-user", { transport: { type: "http", url: server.upstreamUrl } });
  await using test = await openTestCredentials(
    [spec],
    [testCredential("crm-user", { type: "oauth-user", per: "person" }, { type: "bearer" })],
  );
  await connect(test, "crm", "ada");
  await using fleet = fleetOf(test, "crm");
  expect(await fleet.call(call("crm", testBy({ person: "ada" })))).toMatchObject({
    content: [{ text: "you came with Bearer [redacted]" }],
  });
  await expect(fleet.call(call("crm", testBy({ person: "ben" })))).rejects.toMatchObject({
    code: "credential-missing",
    message: expect.stringContaining("ben gives it with: remit connect crm") as string,
  });
  expect(server.seen.at(-1)).toBeUndefined();
});

test("[CTL-23] step-up: what is missing is named all at once, and the next consent covers it and what was granted before", async () => {
  await using server = await openTestOAuthServer();
  const spec = testUpstream("crm", "crm-user", { transport: { type: "http", url: server.upstreamUrl } });
  await using test = await openTestCredentials([spec], [testCredential("crm-user", { type: "oauth-user" }, { type: "bearer" })]);
  await connect(test, "crm");
  await using fleet = fleetOf(test, "crm");
  server.demand("contacts contacts:write");
  await fleet.offered("crm").catch(() => undefined);
  await expect(fleet.call(call("crm"))).rejects.toThrow("contacts:write");
  const { url } = await test.grants.begin({ upstream: "crm", credential: null, person: null, startedBy: "party:ada" });
  expect(new URL(url).searchParams.get("scope")?.split(" ").sort()).toEqual(["contacts", "contacts:write", "offline_access"]);
  expect(new URL(url).searchParams.get("resource")).toBe(server.upstreamUrl);
  expect(new URL(url).searchParams.get("code_challenge_method")).toBe("S256");
});

test("[CTL-23] a consent comes back once, and not with another server's word", async () => {
  await using server = await openTestOAuthServer();
  const spec = testUpstream("crm", "crm-user", { transport: { type: "http", url: server.upstreamUrl } });
  await using test = await openTestCredentials([spec], [testCredential("crm-user", { type: "oauth-user" }, { type: "bearer" })]);
  const begun = await test.grants.begin({ upstream: "crm", credential: null, person: null, startedBy: "party:ada" });
  const back = (await browse(begun.url, callback)).searchParams;
  const { length } = server.grants;
  const state = back.get("state") ?? "";
  await expect(test.grants.finish({ state, code: back.get("code"), error: null, iss: "https://evil.example" })).rejects.toMatchObject({
    code: "credential-unavailable",
  });
  expect(server.grants).toHaveLength(length);
  await expect(test.grants.finish({ state, code: back.get("code"), error: null, iss: back.get("iss") })).rejects.toMatchObject({
    code: "link-invalid",
  });
});

test("[CTL-23] metadata of another resource is refused before anybody is sent anywhere", async () => {
  const liar = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ resource: "https://bank.example/mcp", authorization_servers: ["https://bank.example"] }));
  });
  await new Promise<void>((resolve) => liar.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(liar.address() as AddressInfo).port}/mcp`;
  await using test = await openTestCredentials(
    [testUpstream("crm", "crm-user", { transport: { type: "http", url } })],
    [testCredential("crm-user", { type: "oauth-user" }, { type: "bearer" })],
  );
  await expect(test.grants.begin({ upstream: "crm", credential: null, person: null, startedBy: "party:ada" })).rejects.toMatchObject({
    code: "credential-unavailable",
  });
  liar.closeAllConnections();
  liar.close();
});

test("[CTL-23] what was granted for an upstream is not shown to whatever takes its name: not in a plan either", async () => {
  await using server = await openTestOAuthServer();
  const spec = testUpstream("crm", "crm-user", { transport: { type: "http", url: server.upstreamUrl } });
  const credential = testCredential("crm-user", { type: "oauth-user" }, { type: "bearer" });
  await using test = await openTestCredentials([spec], [credential]);
  await connect(test, "crm");
  const elsewhere = testUpstream("crm", "crm-user", { transport: { type: "http", url: "http://127.0.0.1:9/mcp" } });
  const planned = { ...requestOf(elsewhere, null), credentials: new Map([["crm-user", credential]]) };
  await expect(test.broker.lease(planned, patient())).rejects.toMatchObject({ code: "credential-missing" });
  await test.apply({ upstreams: [elsewhere], credentials: [credential] });
  await expect(test.broker.lease(requestOf(elsewhere), patient())).rejects.toThrow("remit connect crm");
});
