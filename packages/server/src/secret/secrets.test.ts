import { describe, expect, test } from "vitest";
import { openSecret, sealSecret } from "./secret-envelope.ts";
import { testMasterKey } from "../ledger/ledger.testing.ts";
import { createMasterKey } from "../keys/master-key.ts";
import { openTestCredentials, patient, requestOf, testBy, testCredential, testUpstream } from "./secret.testing.ts";

const stored = (secret: string, use: object = { type: "bearer" }) => testCredential("crm-token", { type: "secret", secret }, use);
const canary = "canary-4f1d-value";

describe("the store", () => {
  test("[CTL-07] what is kept is sealed for its path and version, and opens with nothing else", () => {
    const sealed = sealSecret(testMasterKey, "crm/token 1", canary);
    expect(openSecret(testMasterKey, "crm/token 1", sealed)).toBe(canary);
    expect(sealed.includes(canary)).toBe(false);
    expect(() => openSecret(testMasterKey, "crm/token 2", sealed)).toThrow("master key");
    expect(() => openSecret(testMasterKey, "crm/other 1", sealed)).toThrow("master key");
    expect(() => openSecret(createMasterKey(Buffer.alloc(32, 1)), "crm/token 1", sealed)).toThrow("master key");
  });

  test("[CTL-07] set, list and remove say who did it and never what it is; a removed path counts on", async () => {
    await using test = await openTestCredentials([testUpstream("crm", "crm-token")], [stored("crm/token")]);
    expect(await test.secrets.set({ path: "crm/token", value: canary }, "party:ada")).toMatchObject({
      path: "crm/token",
      version: 1,
      usedBy: ["crm-token"],
    });
    await expect(test.secrets.set({ path: "crm/token", value: "other-value" }, "party:ada")).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("remit secret rotate crm/token") as string,
    });
    expect(JSON.stringify(await test.secrets.list({ limit: 50 }))).not.toContain(canary);
    await expect(test.secrets.remove("crm/token", { force: false }, "party:ben")).rejects.toMatchObject({ code: "conflict" });
    await test.secrets.remove("crm/token", { force: true }, "party:ben");
    expect(await test.secrets.list({ limit: 50 })).toEqual({ items: [], next: null });
    expect(await test.secrets.set({ path: "crm/token", value: "other-value" }, "party:ada")).toMatchObject({ version: 2 });
    expect((await test.entries()).map(({ type, actor, data }) => [type, actor, data["path"]])).toEqual([
      ["secret-stored", "party:ada", "crm/token"],
      ["secret-removed", "party:ben", "crm/token"],
      ["secret-stored", "party:ada", "crm/token"],
    ]);
    expect(JSON.stringify(await test.entries())).not.toContain(canary);
  });

  test("[CTL-06] a rotation ends old leases without halting what is under way, gives new ones the new value, and destroys the old one when its overlap is over", async () => {
    await using test = await openTestCredentials([testUpstream("crm", "crm-token")], [stored("crm/token")]);
    await test.secrets.set({ path: "crm/token", value: "first-value" }, "party:ada");
    const by = testBy();
    const before = await test.broker.lease(requestOf(test.upstream("crm"), by), patient());
    expect(before?.headers).toEqual({ authorization: "Bearer first-value" });
    await test.secrets.rotate({ path: "crm/token", value: "second-value", overlap: "PT1H" }, "party:ada");
    // Not taken back: what is under way goes on with what it was shown.
    expect(before?.ended.reason).toMatchObject({ code: "credential-expired" });
    const after = await test.broker.lease(requestOf(test.upstream("crm"), by), patient());
    expect(after?.headers).toEqual({ authorization: "Bearer second-value" });
    // What was shown a moment ago may still come back.
    expect(test.known.text("first-value second-value")).toBe("[redacted] [redacted]");
    expect(
      (await test.secrets.list({ limit: 50 })).items[0]?.versions.map(({ version, destroyAt }) => [version, destroyAt !== null]),
    ).toEqual([
      [2, false],
      [1, true],
    ]);
    test.later(3_601_000);
    await test.clock.catchUp();
    expect((await test.secrets.list({ limit: 50 })).items[0]?.versions.map(({ version }) => version)).toEqual([2]);
    await expect(test.secrets.rotate({ path: "nothing/here", value: "a-value", overlap: "PT1H" }, "party:ada")).rejects.toMatchObject({
      code: "not-found",
    });
  });
});

describe("leases", () => {
  test("[CTL-05][CTL-07] an agent's run gets one lease for all of its calls, recorded once and without a value", async () => {
    await using test = await openTestCredentials([testUpstream("crm", "crm-token")], [stored("crm/token")]);
    const by = testBy();
    await expect(test.broker.lease(requestOf(test.upstream("crm"), by), patient())).rejects.toMatchObject({
      code: "credential-missing",
      message: expect.stringContaining("remit secret set crm/token") as string,
    });
    await test.secrets.set({ path: "crm/token", value: canary }, "party:ada");
    const leases = await Promise.all(Array.from({ length: 8 }, () => test.broker.lease(requestOf(test.upstream("crm"), by), patient())));
    expect(new Set(leases.map((lease) => lease?.id)).size).toBe(1);
    const other = await test.broker.lease(requestOf(test.upstream("crm"), testBy()), patient());
    expect(other?.id).not.toBe(leases[0]?.id);
    const leased = (await test.entries()).filter(({ type }) => type === "credential-leased");
    // The first is the one that could not be issued.
    expect(leased.map(({ data }) => data["lease"]).slice(1)).toEqual([leases[0]?.id, other?.id]);
    expect(JSON.stringify(leased)).not.toContain(canary);
  });

  test("an upstream without a credential costs nothing and is recorded nowhere", async () => {
    await using test = await openTestCredentials([{ ...testUpstream("open", "x"), credential: undefined }] as never, []);
    expect(await test.broker.lease(requestOf(test.upstream("open")), patient())).toBeNull();
    expect(await test.entries()).toEqual([]);
  });

  test.each([
    ["its agent", { type: "agent", name: "support-agent" }, "no agent else", { type: "agent", name: "another" }],
    ["its upstream", { type: "upstream", name: "crm" }, "no upstream else", { type: "upstream", name: "erp" }],
    ["its credential", { type: "credential", name: "crm-token" }, "no credential else", { type: "credential", name: "erp" }],
    ["a prefix of its secret's path", { type: "prefix", name: "crm" }, "no half segment", { type: "prefix", name: "cr" }],
    ["the path of its secret", { type: "prefix", name: "crm/token" }, "no path below", { type: "prefix", name: "crm/token/more" }],
    ["everything", { type: "everything" }, "no run else", { type: "run", name: "run_other" }],
  ] as const)("[SAF-01][CTL-05] it is taken back by %s, on every server, and by %s", async (_, scope, _other, elsewhere) => {
    await using test = await openTestCredentials([testUpstream("crm", "crm-token")], [stored("crm/token")]);
    await test.secrets.set({ path: "crm/token", value: canary }, "party:ada");
    const second = test.another();
    const mine = await test.broker.lease(requestOf(test.upstream("crm")), patient());
    const theirs = await second.broker.lease(requestOf(test.upstream("crm")), patient());
    expect(await test.leases.revoke({ scope: elsewhere, reason: "a test" }, "party:ada")).toBe(0);
    expect(mine?.ended.aborted).toBe(false);
    expect(await test.leases.revoke({ scope, reason: "a test" }, "party:ada")).toBe(2);
    expect([mine, theirs].map((lease) => lease?.ended.reason)).toMatchObject([{ code: "halted" }, { code: "halted" }]);
    expect((await test.entries()).at(-1)).toMatchObject({
      type: "credential-revoked",
      actor: "party:ada",
      data: { leases: 2, reason: "a test" },
    });
  });

  test("[SAF-01] while a halt holds, nothing is given out to whom it covers", async () => {
    await using test = await openTestCredentials([testUpstream("crm", "crm-token")], [stored("crm/token")]);
    await test.secrets.set({ path: "crm/token", value: canary }, "party:ada");
    test.halt([{ id: "hlt_1", mode: "halt", scope: { type: "agent", name: "support-agent" }, reason: "a leak" }]);
    await expect(test.broker.lease(requestOf(test.upstream("crm")), patient())).rejects.toMatchObject({ code: "halted" });
    expect(await test.broker.lease(requestOf(test.upstream("crm"), testBy({ agent: "another" })), patient())).not.toBeNull();
    test.halt([{ id: "hlt_1", mode: "halt", scope: { type: "everything" }, reason: "a leak" }]);
    await expect(test.broker.lease(requestOf(test.upstream("crm"), null), patient())).rejects.toMatchObject({ code: "halted" });
  });

  test("[CTL-05] it runs out, and the next call gets another; what a crashed server held runs out too", async () => {
    await using test = await openTestCredentials([testUpstream("crm", "crm-token")], [stored("crm/token")], { lifetimeMs: 60_000 });
    await test.secrets.set({ path: "crm/token", value: canary }, "party:ada");
    const by = testBy();
    const first = await test.broker.lease(requestOf(test.upstream("crm"), by), patient());
    test.later(59_000);
    const next = await test.broker.lease(requestOf(test.upstream("crm"), by), patient());
    expect(next?.id).not.toBe(first?.id);
    test.later(120_000);
    await test.clock.catchUp();
    expect((await test.leases.list({ limit: 50, live: true })).items).toEqual([]);
    expect((await test.leases.list({ limit: 50, live: false })).items.map(({ endedReason }) => endedReason)).toEqual([
      "it ran out",
      "it ran out",
    ]);
  });

  test("a change of the credential in the registry ends what was made of it", async () => {
    await using test = await openTestCredentials([testUpstream("crm", "crm-token")], [stored("crm/token")]);
    await test.secrets.set({ path: "crm/token", value: canary }, "party:ada");
    const by = testBy();
    const bearer = await test.broker.lease(requestOf(test.upstream("crm"), by), patient());
    await test.apply({
      upstreams: [testUpstream("crm", "crm-token")],
      credentials: [stored("crm/token", { type: "header", name: "X-Key" })],
    });
    expect(bearer?.ended.aborted).toBe(true);
    expect((await test.broker.lease(requestOf(test.upstream("crm"), by), patient()))?.headers).toEqual({ "x-key": canary });
  });

  test.each([
    [{ type: "header", name: "X-Api-Key", prefix: "Key " }, { headers: { "x-api-key": `Key ${canary}` } }],
    [{ type: "basic", username: "remit" }, { headers: { authorization: `Basic ${Buffer.from(`remit:${canary}`).toString("base64")}` } }],
    [{ type: "query", name: "key" }, { query: { key: canary } }],
    [{ type: "env", name: "CRM_TOKEN" }, { env: { CRM_TOKEN: canary } }],
  ])("it is shown as %j says", async (use, shown) => {
    await using test = await openTestCredentials([testUpstream("crm", "crm-token")], [stored("crm/token", use)]);
    await test.secrets.set({ path: "crm/token", value: canary }, "party:ada");
    expect(await test.broker.lease(requestOf(test.upstream("crm")), patient())).toMatchObject(shown);
  });

  test("a secret that no header can carry is refused without being repeated", async () => {
    await using test = await openTestCredentials([testUpstream("crm", "crm-token")], [stored("crm/token")]);
    await test.secrets.set({ path: "crm/token", value: `${canary}\r\nx-injected: yes` }, "party:ada");
    const error: unknown = await test.broker.lease(requestOf(test.upstream("crm")), patient()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "credential-unavailable" });
    expect(String(error)).not.toContain(canary);
  });
});
