import { generateKeyPairSync } from "node:crypto";
import type { AgentClaims, Caller, Id } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { buildRegistry } from "@remit/core/testing";
import type { RegistryOverrides } from "@remit/core/testing";
import { SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestLedger } from "../ledger/ledger.testing.ts";
import { openRegistry } from "../registry/registry.testing.ts";
import { validFiles } from "../registry/registry-files.testing.ts";
import { signAgentToken } from "./agent-token.ts";
import { createIdentity } from "./identity.ts";
import { createIdentityStore } from "./identity.postgres.ts";
import { openTestIdentity, testAudience, testPublicUrl, oauthParts } from "./identity.testing.ts";
import type { TestIdentity } from "./identity.testing.ts";
import { newSecret } from "./secret-token.ts";
import { createLogger } from "../log/logger.ts";

type Case = [name: string, code: string, make: (test: TestIdentity) => Promise<string> | string];

const foreign = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const sign = (test: TestIdentity, claims: object, header: object = {}, key = test.tokenKey.privateKey) =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: test.tokenKey.kid, ...header }).sign(key);
const without = (claims: AgentClaims, name: keyof AgentClaims) =>
  Object.fromEntries(Object.entries(claims).filter(([claim]) => claim !== name));

const run = (deadline: number) => ({
  id: `run_${"7".repeat(32)}` as Id<"run">,
  workflow: "triage",
  queue: "billing-tier1",
  subject: "A ticket",
  maxActions: 3,
  deadline,
  requireApproval: ["send_email"],
  approvers: "support-lead",
  serviceName: "support-agent",
});

function callerFor(test: TestIdentity, deadline: number): Parameters<TestIdentity["identity"]["callers"]["issueForRun"]>[0] {
  const { agent, version, accountable, environment, policy } = test.claims();
  return { agent, version, accountable, environment, policy, run: run(deadline) };
}

describe("verify", () => {
  let shared: TestIdentity;
  beforeAll(async () => {
    shared = await openTestIdentity();
  });
  afterAll(() => shared[Symbol.asyncDispose]());

  test("[CTL-02] says who is asking, for the gateway and for the door of an upstream", async () => {
    await using test = await openTestIdentity();
    const token = await test.token("env:staging");
    const expected: Partial<Caller> = {
      agent: "support-agent",
      accountable: "ada",
      environment: "staging",
      policy: "customer_support_tier1_v3",
      run: null,
    };
    await expect(test.identity.callers.verify(token, testAudience)).resolves.toMatchObject(expected);
    await expect(test.identity.callers.verify(token, `${testAudience}/helpdesk`)).resolves.toMatchObject(expected);
    expect(await test.entries("token-refused")).toEqual([]);
  });

  test.each<Case>([
    ["another audience", "unauthenticated", (test) => sign(test, test.claims({ aud: "https://other.example/mcp" }))],
    ["two audiences", "unauthenticated", (test) => sign(test, { ...test.claims(), aud: [testAudience, "https://other.example"] })],
    ["the issuer as audience", "unauthenticated", (test) => sign(test, test.claims({ aud: "http://localhost:4680/oidc" }))],
    ["another issuer", "unauthenticated", (test) => sign(test, test.claims({ iss: "http://localhost:4680" }))],
    ["type JWT", "unauthenticated", (test) => sign(test, test.claims(), { typ: "JWT" })],
    ["no type", "unauthenticated", (test) => sign(test, test.claims(), { typ: undefined })],
    ["algorithm none", "unauthenticated", (test) => new UnsecuredJWT({ ...test.claims() }).encode()],
    [
      "HS256 with the public key as secret",
      "unauthenticated",
      (test) => {
        const secret = Buffer.from(test.tokenKey.publicKey.export({ type: "spki", format: "pem" }));
        return new SignJWT({ ...test.claims() }).setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: test.tokenKey.kid }).sign(secret);
      },
    ],
    ["RS256", "unauthenticated", (test) => sign(test, test.claims(), { alg: "RS256" }, rsa.privateKey)],
    ["a foreign key under our key id", "unauthenticated", (test) => sign(test, test.claims(), {}, foreign.privateKey)],
    ["an unknown key id", "unauthenticated", (test) => sign(test, test.claims(), { kid: "other" })],
    ["no key id", "unauthenticated", (test) => sign(test, test.claims(), { kid: undefined })],
    [
      "a key that the token brings along",
      "unauthenticated",
      (test) => sign(test, test.claims(), { kid: "x", jwk: foreign.publicKey.export({ format: "jwk" }) }, foreign.privateKey),
    ],
    [
      "an unknown critical header",
      "unauthenticated",
      (test) =>
        new SignJWT({ ...test.claims() })
          .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: test.tokenKey.kid, crit: ["exotic"], exotic: true })
          .sign(test.tokenKey.privateKey, { crit: { exotic: true } }),
    ],
    ["expired", "token-expired", (test) => sign(test, test.claims({ iat: test.claims().iat - 400, exp: test.claims().iat - 100 }))],
    ["too old, whatever it says of its end", "token-expired", (test) => sign(test, test.claims({ iat: test.claims().iat - 3600 }))],
    ["living longer than tokens do", "unauthenticated", (test) => sign(test, test.claims({ exp: test.claims().iat + 3600 }))],
    ["not valid yet", "unauthenticated", (test) => sign(test, { ...test.claims(), nbf: test.claims().iat + 60 })],
    [
      "issued in the future",
      "unauthenticated",
      (test) => sign(test, test.claims({ iat: test.claims().iat + 60, exp: test.claims().iat + 200 })),
    ],
    [
      "a changed byte",
      "unauthenticated",
      async (test) => {
        const [header, , signature] = (await test.token()).split(".");
        return [header, Buffer.from(JSON.stringify(test.claims({ environment: "production" }))).toString("base64url"), signature].join(".");
      },
    ],
    ["an empty text", "unauthenticated", () => ""],
    ["garbage", "unauthenticated", () => "a.b.c"],
    ["five parts", "unauthenticated", () => "a.b.c.d.e"],
    ["something very long", "unauthenticated", () => "x".repeat(100_000)],
    ["a session of a person", "unauthenticated", (test) => test.login("ada")],
    ...(
      [
        "sub",
        "client_id",
        "iat",
        "exp",
        "jti",
        "scope",
        "agent",
        "version",
        "accountable",
        "environment",
        "policy",
        "secret",
        "run",
      ] as const
    ).map<Case>((claim) => [`no ${claim}`, "unauthenticated", (test) => sign(test, without(test.claims(), claim))]),
    ["an agent that is not registered", "token-revoked", (test) => sign(test, test.claims({ agent: "gone" }))],
    ["an older version", "token-revoked", (test) => sign(test, test.claims({ version: "0".repeat(64) }))],
    ["an environment that it is not granted", "token-revoked", (test) => sign(test, test.claims({ environment: "production" }))],
  ])("[CTL-05][CTL-37] refuses and records: %s", async (_name, code, make) => {
    shared.later(1);
    const before = (await shared.entries("token-refused")).length;
    const token = await make(shared);
    await expect(shared.identity.callers.verify(token, testAudience)).rejects.toMatchObject({ code });
    shared.later(1);
    // Again: a refusal is not remembered as a success.
    await expect(shared.identity.callers.verify(token, testAudience)).rejects.toMatchObject({ code });
    const entries = (await shared.entries("token-refused")).slice(before);
    expect(entries).toHaveLength(2);
    expect(entries[0]?.data).toMatchObject({ code });
    if (token !== "") expect(entries.map(({ body }) => body).join()).not.toContain(token.slice(0, 60));
  });

  test("a good token at an address that is not the gateway's is refused", async () => {
    await using test = await openTestIdentity();
    const token = await test.token();
    for (const resource of ["http://localhost:4680/v1", "https://other.example/mcp", `${testAudience}/../v1`]) {
      await expect(test.identity.callers.verify(token, resource)).rejects.toMatchObject({ code: "unauthenticated" });
    }
  });

  test("the refusal of a token that we signed names its agent; that of any other names nobody", async () => {
    await using test = await openTestIdentity();
    const late = test.claims({ iat: test.claims().iat - 400, exp: test.claims().iat - 100 });
    for (const token of [await sign(test, late), await sign(test, late, {}, foreign.privateKey)]) {
      await expect(test.identity.callers.verify(token, testAudience)).rejects.toBeInstanceOf(RemitError);
    }
    expect(await test.entries("token-refused")).toMatchObject([
      { actor: "agent:support-agent", data: { code: "token-expired" } },
      { actor: "service:unknown", data: { code: "unauthenticated" } },
    ]);
  });

  test("a clock that is a little off is forgiven, in both directions", async () => {
    await using test = await openTestIdentity();
    const ahead = await sign(test, test.claims({ iat: test.claims().iat + 4, exp: test.claims().iat + 300 }));
    await expect(test.identity.callers.verify(ahead, testAudience)).resolves.toBeDefined();
  });

  test("a token ends when it says so, though it was good a moment ago and is remembered", async () => {
    await using test = await openTestIdentity();
    const token = await sign(test, test.claims());
    await test.identity.callers.verify(token, testAudience);
    test.later(299_000);
    await expect(test.identity.callers.verify(token, testAudience)).resolves.toBeDefined();
    test.later(7_000);
    await expect(test.identity.callers.verify(token, testAudience)).rejects.toMatchObject({ code: "token-expired" });
  });

  test("a clock that jumps back does not let an expired token live again", async () => {
    await using test = await openTestIdentity();
    const token = await sign(test, test.claims());
    test.later(-3_600_000);
    await expect(test.identity.callers.verify(token, testAudience)).rejects.toMatchObject({ code: "unauthenticated" });
  });

  test("a flood of garbage becomes a handful of entries that say how much it was", async () => {
    await using test = await openTestIdentity();
    await Promise.all(
      Array.from({ length: 2_000 }, (_, index) => test.identity.callers.verify(`garbage-${index}`, testAudience).catch(() => undefined)),
    );
    const entries = await test.entries("token-refused");
    expect(entries).toHaveLength(6);
    expect(entries.reduce((sum, { data }) => sum + Number(data["count"] ?? 1), 0)).toBe(2_000);
  });
});

describe("a token that was good stops", () => {
  test.each<[string, string, RegistryOverrides]>([
    [
      "the agent is suspended",
      "agent-suspended",
      { agents: [{ name: "support-agent", suspended: { code: "agent-suspended", reason: "under review" } }] },
    ],
    ["its human is deactivated", "no-accountable-human", { parties: [{ name: "ada", active: false }] }],
    ["it has a new version", "token-revoked", { agents: [{ name: "support-agent", version: "b".repeat(64) }] }],
  ])("when %s", async (_name, code, overrides) => {
    await using test = await openTestIdentity();
    const [token, forRun] = [
      await test.token(),
      (await test.identity.callers.issueForRun(callerFor(test, test.now().getTime() + 600_000))).token,
    ];
    await test.identity.callers.verify(token, testAudience);
    await test.identity.callers.verify(forRun, testAudience);
    await test.apply(buildRegistry(overrides));
    await expect(test.identity.callers.verify(token, testAudience)).rejects.toMatchObject({ code });
    test.later(1);
    await expect(test.identity.callers.verify(forRun, testAudience)).rejects.toMatchObject({ code });
    expect(await test.entries("token-refused")).toMatchObject([{ actor: "agent:support-agent" }, { runId: `run_${"7".repeat(32)}` }]);
  });

  test("[CTL-05] when it is revoked, or its run, or everything of its agent; and only then", async () => {
    await using test = await openTestIdentity();
    const { identity } = test;
    const alive = async (token: string) =>
      identity.callers.verify(token, testAudience).then(
        () => true,
        (error: unknown) => RemitError.is(error) && error.code,
      );
    const [one, two] = [await test.token(), await test.token()];
    const forRun = (await identity.callers.issueForRun(callerFor(test, test.now().getTime() + 600_000))).token;

    const { tokenId } = await identity.callers.verify(one, testAudience);
    await identity.revokeToken(tokenId as Id<"token">, "lost");
    expect([await alive(one), await alive(two), await alive(forRun)]).toEqual(["token-revoked", true, true]);
    await identity.revokeRun(run(0).id, "stopped");
    expect([await alive(two), await alive(forRun)]).toEqual([true, "token-revoked"]);
    await expect(identity.callers.issueForRun(callerFor(test, test.now().getTime() + 600_000))).rejects.toMatchObject({
      code: "token-revoked",
    });
    await identity.revokeAgent("support-agent", "compromised");
    expect(await alive(two)).toBe("token-revoked");
    expect(await alive(await signAgentToken(test.claims(), test.tokenKey))).toBe("token-revoked");
    test.later(7_000);
    expect(await alive(await signAgentToken(test.claims(), test.tokenKey))).toBe(true);
  });

  test("on another server as well, once that has confirmed its control state", async () => {
    await using test = await openTestIdentity();
    const token = await test.token();
    const { tokenId } = await test.identity.callers.verify(token, testAudience);
    await test.database.query("INSERT INTO revocation VALUES ('token', $1, now(), now() + interval '1 hour', 'elsewhere')", [tokenId]);
    await test.database.query("UPDATE control_state SET epoch = epoch + 1");
    await test.control.refresh();
    await expect(test.identity.callers.verify(token, testAudience)).rejects.toMatchObject({ code: "token-revoked" });
  });

  test("[CTL-03] when a registry is applied in which the human who answers is gone", async () => {
    await using test = await openTestLedger();
    const { registry, control } = await openRegistry(test);
    const identity = createIdentity({
      database: test.database,
      store: createIdentityStore(test.database),
      ...oauthParts(test.database),
      ledger: test.ledger,
      registry,
      control,
      tokenKey: await test.keys.signingKey("tokens", "ES256"),
      machineKey: newSecret("machine"),
      publicUrl: testPublicUrl,
      logger: createLogger({ level: "silent" }),
      now: () => new Date(),
    });
    await registry.apply({ files: validFiles, actor: "service:machine" });
    const agent = registry.current().agents.get("support-agent");
    const issued = await identity.callers.issueForRun({
      agent: "support-agent",
      version: agent?.version ?? "",
      accountable: "ada",
      environment: "staging",
      policy: "support",
      run: run(Date.now() + 600_000),
    });
    await identity.callers.verify(issued.token, testAudience);

    const people = (validFiles["parties/people.yaml"] ?? "").replace("displayName: Ada Admin", "displayName: Ada Admin\nactive: false");
    await registry.apply({ files: { ...validFiles, "parties/people.yaml": people }, actor: "service:machine" });
    await control.refresh();
    await expect(identity.callers.verify(issued.token, testAudience)).rejects.toMatchObject({ code: "no-accountable-human" });
    const types = await test.superuser.query<{ type: string }>("SELECT DISTINCT type FROM ledger_entry");
    expect(types).toContainEqual({ type: "agent-suspended" });
    await identity.stop();
  });
});

describe("a run's token", () => {
  test("[CTL-04][CTL-05] carries the run, lives at most five minutes and never past the deadline", async () => {
    await using test = await openTestIdentity();
    const start = test.now().getTime();
    const long = await test.identity.callers.issueForRun(callerFor(test, start + 3_600_000));
    expect(long.expiresAt.getTime()).toBeLessThanOrEqual(test.now().getTime() + 300_000);
    const short = await test.identity.callers.issueForRun(callerFor(test, start + 60_000));
    expect(short.expiresAt.getTime()).toBeLessThanOrEqual(start + 60_000);
    await expect(test.identity.callers.verify(short.token, testAudience)).resolves.toMatchObject({
      run: run(start + 60_000),
      agent: "support-agent",
    });
    await expect(test.identity.callers.issueForRun(callerFor(test, start - 1))).rejects.toMatchObject({ code: "run-ended" });
    expect(await test.entries("token-issued")).toMatchObject([{ runId: run(0).id }, { runId: run(0).id, data: { secret: null } }]);
  });

  test.each<[string, RegistryOverrides, string]>([
    ["a suspended agent", { agents: [{ name: "support-agent", suspended: { code: "agent-suspended", reason: "x" } }] }, "agent-suspended"],
    ["an agent without a human", { parties: [{ name: "ada", active: false }] }, "no-accountable-human"],
    ["an environment that is not granted", { agents: [{ name: "support-agent", environments: ["staging"] }] }, "token-revoked"],
  ])("is not issued for %s", async (_name, overrides, code) => {
    await using test = await openTestIdentity();
    await test.apply(buildRegistry(overrides));
    await expect(test.identity.callers.issueForRun(callerFor(test, test.now().getTime() + 60_000))).rejects.toMatchObject({ code });
    expect(await test.entries("token-issued")).toEqual([]);
  });
});

test("[CTL-37] while the control state cannot be confirmed, no token is good, none is issued, and nobody is logged in", async () => {
  await using test = await openTestIdentity();
  const [token, session, { clientId, clientSecret }] = [
    await test.token(),
    await test.login("ada"),
    await test.identity.secrets.issue("support-agent", { expiresInDays: 1, actor: "party:ada" }),
  ];
  await test.identity.callers.verify(token, testAudience);
  test.goStale();
  await expect(test.identity.callers.verify(token, testAudience)).rejects.toMatchObject({ code: "control-state-stale" });
  await expect(test.identity.callers.issueForRun(callerFor(test, test.now().getTime() + 60_000))).rejects.toMatchObject({
    code: "control-state-stale",
  });
  expect((await test.app.inject({ url: "/v1/me", headers: { authorization: `Bearer ${session}` } })).statusCode).toBe(503);
  const asked = await test.app.inject({
    method: "POST",
    url: "/oidc/token",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    payload: new URLSearchParams({ grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret }).toString(),
  });
  expect([asked.statusCode, asked.json<{ error: string }>().error]).toEqual([503, "temporarily_unavailable"]);
});
