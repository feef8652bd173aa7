import { buildRegistry } from "@remit/core/testing";
import type { RegistryOverrides } from "@remit/core/testing";
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { openTestIdentity, testAudience } from "./identity.testing.ts";
import type { TestIdentity } from "./identity.testing.ts";

type Answer = { status: number; body: Record<string, unknown>; headers: Record<string, unknown> };

/** A request to the token endpoint, as form fields. */
async function ask(
  test: TestIdentity,
  fields: Record<string, string>,
  options: { basic?: [string, string]; from?: string } = {},
): Promise<Answer> {
  const response = await test.app.inject({
    method: "POST",
    url: "/oidc/token",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      ...(options.basic ? { authorization: `Basic ${Buffer.from(options.basic.join(":")).toString("base64")}` } : {}),
    },
    payload: new URLSearchParams(fields).toString(),
    ...(options.from ? { remoteAddress: options.from } : {}),
  });
  return { status: response.statusCode, body: response.json(), headers: response.headers };
}

const grant = { grant_type: "client_credentials", resource: testAudience };
const issue = (test: TestIdentity) => test.identity.secrets.issue("support-agent", { expiresInDays: 1, actor: "party:ada" });

describe("the token endpoint", () => {
  test("[CTL-02][CTL-05][CTL-41] gives a real client over HTTP a token that verifies against the published keys", async () => {
    await using test = await openTestIdentity();
    await test.app.listen({ host: "127.0.0.1", port: 0 });
    const address = test.app.server.address();
    if (address === null || typeof address === "string") throw new Error("no address");
    const base = `http://127.0.0.1:${address.port}`;

    // As an MCP client finds its way: resource metadata, authorization server metadata, token endpoint.
    const resource = (await (await fetch(`${base}/.well-known/oauth-protected-resource/mcp`)).json()) as {
      authorization_servers: string[];
    };
    expect(resource).toMatchObject({ resource: testAudience, authorization_servers: ["http://localhost:4680/oidc"] });
    const metadata = (await (await fetch(`${base}/.well-known/oauth-authorization-server/oidc`)).json()) as Record<string, string>;
    expect(metadata["issuer"]).toBe(resource.authorization_servers[0]);
    const page = await fetch(`${base}${new URL(metadata["authorization_endpoint"] ?? "").pathname}`);
    expect([page.status, await page.text()]).toEqual([401, expect.stringContaining("Log in first")]);

    const { clientId, clientSecret } = await issue(test);
    const response = await fetch(`${base}${new URL(metadata["token_endpoint"] ?? "").pathname}`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}` },
      body: new URLSearchParams({ ...grant, scope: "mcp env:staging" }),
    });
    expect(response.status).toBe(200);
    const answer = (await response.json()) as Record<string, string>;
    expect(answer).toMatchObject({ token_type: "Bearer", expires_in: 300, scope: "mcp env:staging policy:customer_support_tier1_v3" });

    const token = answer["access_token"] ?? "";
    const keys = createRemoteJWKSet(new URL(`${base}${new URL(metadata["jwks_uri"] ?? "").pathname}`));
    const { payload } = await jwtVerify(token, keys, { typ: "at+jwt", audience: testAudience, currentDate: new Date() });
    expect(decodeProtectedHeader(token)).toEqual({ alg: "ES256", typ: "at+jwt", kid: test.tokenKey.kid });
    const version = payload["version"] as string;
    expect(payload).toMatchObject({
      sub: `spiffe://acme.example/agent/support-agent/${version}`,
      client_id: "support-agent",
      environment: "staging",
      policy: "customer_support_tier1_v3",
      accountable: "ada",
      run: null,
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300);

    const published = await (await fetch(`${base}/oidc/jwks`)).text();
    expect(published).not.toContain('"d"');
    const [entry] = await test.entries("token-issued");
    expect(entry).toMatchObject({ actor: "agent:support-agent", data: { tokenId: payload.jti, environment: "staging", version } });
  });

  test("[CTL-23] a token is for a resource that was named: a door of one upstream is the same audience, and nothing else is one of ours", async () => {
    await using test = await openTestIdentity();
    const { clientId, clientSecret } = await issue(test);
    const basic: [string, string] = [clientId, clientSecret];
    const withResource = (resource: string) => ask(test, { ...grant, resource }, { basic });
    const door = await withResource(`${testAudience}/helpdesk`);
    expect(decodeJwt(String(door.body["access_token"])).aud).toBe(testAudience);
    const unsaid = await ask(test, { grant_type: "client_credentials" }, { basic });
    expect(unsaid).toMatchObject({
      status: 400,
      body: { error: "invalid_target", error_description: expect.stringContaining(testAudience) },
    });
    for (const resource of ["https://evil.example/mcp", `${testAudience}x`, `${testAudience}/a/b`, "urn:x", `${testAudience}#f`]) {
      expect(await withResource(resource), resource).toMatchObject({ status: 400, body: { error: "invalid_target" } });
    }
  });

  test("[CTL-23] what is protected says so at each of its addresses, and what is not there at none", async () => {
    await using test = await openTestIdentity();
    const at = (path: string) => test.app.inject({ url: `/.well-known/${path}` });
    for (const [path, resource] of [
      ["oauth-protected-resource", testAudience],
      ["oauth-protected-resource/mcp", testAudience],
      ["oauth-protected-resource/mcp/helpdesk", `${testAudience}/helpdesk`],
    ] as const) {
      expect((await at(path)).json(), path).toMatchObject({
        resource,
        authorization_servers: ["http://localhost:4680/oidc"],
        scopes_supported: ["mcp"],
        bearer_methods_supported: ["header"],
      });
    }
    expect((await at("oauth-protected-resource/mcp/nowhere")).statusCode).toBe(404);
    for (const path of ["oauth-authorization-server/oidc", "openid-configuration/oidc"]) {
      expect((await at(path)).json(), path).toMatchObject({
        issuer: "http://localhost:4680/oidc",
        authorization_response_iss_parameter_supported: true,
        client_id_metadata_document_supported: true,
        code_challenge_methods_supported: ["S256"],
      });
    }
  });

  test("client_secret_post works as well, and the environment and policy are the agent's first unless chosen", async () => {
    await using test = await openTestIdentity();
    const { clientId, clientSecret } = await issue(test);
    const answer = await ask(test, { ...grant, client_id: clientId, client_secret: clientSecret });
    expect(answer.body).toMatchObject({ scope: "mcp env:dev policy:customer_support_tier1_v3" });
    expect(decodeJwt(String(answer.body["access_token"]))).toMatchObject({ environment: "dev", scope: answer.body["scope"] });
  });

  test.each([
    ["env:production", "invalid_scope"],
    ["policy:admin", "invalid_scope"],
    ["env:dev env:staging", "invalid_scope"],
    ["mcp openid", "invalid_scope"],
    ["mcp offline_access", "invalid_scope"],
  ])("[CTL-04] the scope %s is refused, not narrowed", async (scope, error) => {
    await using test = await openTestIdentity();
    const { clientId, clientSecret } = await issue(test);
    expect(await ask(test, { ...grant, scope }, { basic: [clientId, clientSecret] })).toMatchObject({ status: 400, body: { error } });
    expect(await test.entries("token-issued")).toEqual([]);
    expect(await test.entries("token-refused")).toMatchObject([{ actor: "agent:support-agent", data: { clientId: "support-agent" } }]);
  });

  test.each<[string, Record<string, string>, [string, string] | undefined, number, string]>([
    ["a wrong secret", grant, ["support-agent", `remit_secret_${"x".repeat(43)}`], 401, "invalid_client"],
    ["an unknown agent", grant, ["nobody", "x"], 401, "invalid_client"],
    ["no client", grant, undefined, 400, "invalid_request"],
    ["a client without a secret", { ...grant, client_id: "support-agent" }, undefined, 401, "invalid_client"],
    ["another grant", { ...grant, grant_type: "password" }, ["support-agent", "x"], 401, "invalid_client"],
    ["an object's member as a client", grant, ["__proto__", "x"], 401, "invalid_client"],
  ])("%s is refused and recorded", async (_name, fields, basic, status, error) => {
    await using test = await openTestIdentity();
    expect(await ask(test, fields, basic ? { basic } : {})).toMatchObject({ status, body: { error } });
    expect(await test.entries("token-refused")).toHaveLength(1);
    expect(await test.entries("token-issued")).toEqual([]);
  });

  test("no grant but client credentials, though the secret is good", async () => {
    await using test = await openTestIdentity();
    const { clientId, clientSecret } = await issue(test);
    for (const grant_type of ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "implicit"]) {
      const answer = await ask(test, { ...grant, grant_type, code: "x", refresh_token: "x" }, { basic: [clientId, clientSecret] });
      expect(answer.status, grant_type).toBe(400);
    }
  });

  test("none of oidc-provider's other routes is there", async () => {
    await using test = await openTestIdentity();
    for (const url of [
      "/oidc/auth",
      "/oidc/reg",
      "/oidc/me",
      "/oidc/session/end",
      "/oidc/interaction/x",
      "/oidc/device",
      "/oidc/request",
      "/oidc/token/introspection",
    ]) {
      for (const method of ["GET", "POST"] as const) expect((await test.app.inject({ method, url })).statusCode, url).toBe(404);
    }
  });

  test("a browser's Accept gets no page, and a 1 MB body is refused", async () => {
    await using test = await openTestIdentity();
    const headers = { accept: "text/html", "content-type": "application/x-www-form-urlencoded" };
    const page = await test.app.inject({ method: "POST", url: "/oidc/token", headers, payload: "grant_type=x" });
    expect(page.headers["content-type"]).toContain("application/json");
    const large = await test.app.inject({ method: "POST", url: "/oidc/token", headers, payload: `a=${"x".repeat(1_000_000)}` });
    expect(large.statusCode).toBe(400);
  });

  test.each<[string, RegistryOverrides]>([
    ["a suspended agent", { agents: [{ name: "support-agent", suspended: { code: "agent-suspended", reason: "under review" } }] }],
    ["an agent whose human has left", { parties: [{ name: "ada", active: false }] }],
  ])("[CTL-02][CTL-03] %s gets no token, with a good secret", async (_name, overrides) => {
    await using test = await openTestIdentity();
    const { clientId, clientSecret } = await issue(test);
    await test.apply(buildRegistry(overrides));
    const answer = await ask(test, grant, { basic: [clientId, clientSecret] });
    expect(answer).toMatchObject({ status: 400, body: { error: "unauthorized_client" } });
    expect(await test.entries("token-issued")).toEqual([]);
  });
});

describe("client secrets", () => {
  test("[CTL-05] are rotated with overlap: the old one works until it is retired, and with it end the tokens it got", async () => {
    await using test = await openTestIdentity();
    const [old, next] = [await issue(test), await issue(test)];
    const tokenOf = async (secret: string) => String((await ask(test, grant, { basic: ["support-agent", secret] })).body["access_token"]);
    const [oldToken, nextToken] = [await tokenOf(old.clientSecret), await tokenOf(next.clientSecret)];
    await test.identity.callers.verify(oldToken, testAudience);

    await test.identity.secrets.retire("support-agent", old.id, "party:ada");
    await expect(test.identity.callers.verify(oldToken, testAudience)).rejects.toMatchObject({ code: "token-revoked" });
    await expect(test.identity.callers.verify(nextToken, testAudience)).resolves.toMatchObject({ agent: "support-agent" });
    expect((await ask(test, grant, { basic: ["support-agent", old.clientSecret] })).status).toBe(401);
    expect((await ask(test, grant, { basic: ["support-agent", next.clientSecret] })).status).toBe(200);
    expect(await test.entries("secret-issued", "secret-retired")).toMatchObject([
      { type: "secret-issued", data: { secret: old.id } },
      { type: "secret-issued", data: { secret: next.id } },
      { type: "secret-retired", actor: "party:ada", data: { secret: old.id } },
    ]);
  });

  test("end by themselves, belong to one agent, and are at most five at once", async () => {
    await using test = await openTestIdentity(buildRegistry({ agents: [{ name: "other" }] }));
    const { clientSecret } = await issue(test);
    expect(await test.identity.secrets.check("other", clientSecret)).toBeNull();
    for (let more = 0; more < 4; more += 1) await issue(test);
    await expect(issue(test)).rejects.toMatchObject({ code: "conflict" });
    test.later(86_400_001);
    expect(await test.identity.secrets.check("support-agent", clientSecret)).toBeNull();
    await expect(issue(test)).resolves.toBeDefined();
  });

  test("wrong ones are answered only so often, a right one always: behind a proxy all come from one address", async () => {
    await using test = await openTestIdentity();
    const { clientId, clientSecret } = await issue(test);
    const wrong = () => ask(test, grant, { basic: [clientId, "remit_secret_wrong"], from: "10.0.0.1" });
    for (let attempt = 0; attempt < 20; attempt += 1) expect((await wrong()).status).toBe(401);
    const limited = await wrong();
    expect(limited).toMatchObject({ status: 429, headers: { "retry-after": "60" } });
    expect((await ask(test, grant, { basic: [clientId, clientSecret], from: "10.0.0.1" })).status).toBe(200);
    expect((await ask(test, grant, { basic: [clientId, "remit_secret_wrong"], from: "10.0.0.2" })).status).toBe(401);
    test.later(60_001);
    expect((await wrong()).status).toBe(401);
    // They are a handful of entries.
    const entries = await test.entries("token-refused");
    expect(entries.length).toBeLessThan(10);
    expect(entries.reduce((sum, { data }) => sum + Number(data["count"] ?? 1), 0)).toBe(23);
  });

  test("are shown once: no entry, log line, list or row holds one, nor any token", async () => {
    await using test = await openTestIdentity();
    const machine = { authorization: `Machine ${test.machineKey}` };
    const { url } = (await test.app.inject({ method: "POST", url: "/v1/links", headers: machine, payload: { party: "ben" } })).json<{
      url: string;
    }>();
    const path = new URL(url).pathname;
    await test.app.inject({ url: path });
    const clicked = await test.app.inject({ method: "POST", url: path, headers: { origin: "http://localhost:4680" } });
    await test.app.inject({ method: "POST", url: "/v1/sessions", payload: { link: url } });
    const session = String(clicked.cookies[0]?.value);
    const authorization = `Bearer ${session}`;
    const issued = await test.app.inject({
      method: "POST",
      url: "/v1/agents/support-agent/secrets",
      headers: { authorization },
      payload: {},
    });
    expect(issued.statusCode).toBe(201);
    const { clientSecret, clientId, id } = issued.json<{ clientSecret: string; clientId: string; id: string }>();
    const token = String((await ask(test, grant, { basic: [clientId, clientSecret] })).body["access_token"]);
    await ask(test, { ...grant, scope: "nope" }, { basic: [clientId, clientSecret] });
    await ask(test, { ...grant, resource: "https://evil.example" }, { basic: [clientId, clientSecret] });
    await test.identity.callers.verify(`${token}x`, testAudience).catch(() => undefined);

    const list = await test.app.inject({ url: "/v1/agents/support-agent/secrets", headers: { authorization } });
    expect(list.json()).toMatchObject({ items: [{ id, agent: "support-agent", createdBy: "party:ben", retiredAt: null }] });
    const retired = await test.app.inject({ method: "DELETE", url: `/v1/agents/support-agent/secrets/${id}`, headers: { authorization } });
    expect(retired.statusCode).toBe(204);

    const rows = await test.superuser.query(
      "SELECT to_jsonb(s) AS row FROM agent_secret s UNION ALL SELECT to_jsonb(s) FROM session s UNION ALL SELECT to_jsonb(l) FROM login_link l",
    );
    const everywhere = [...test.logged, list.body, JSON.stringify(rows), ...(await test.entries()).map(({ body }) => body)].join("\n");
    for (const canary of [clientSecret, session, token, test.machineKey, path]) {
      expect(everywhere).not.toContain(canary);
      expect(everywhere).not.toContain(canary.slice(-20));
    }
  });

  test.each([
    [undefined, 401],
    ["cleo", 403],
    ["ben", 201],
    ["ada", 201],
  ])("are made by operators: %s gets %i", async (party, status) => {
    await using test = await openTestIdentity();
    const headers = party === undefined ? {} : { authorization: `Bearer ${await test.login(party)}` };
    expect((await test.app.inject({ method: "POST", url: "/v1/agents/support-agent/secrets", headers })).statusCode).toBe(status);
    expect((await test.app.inject({ method: "POST", url: "/v1/agents/gone/secrets", headers })).statusCode).toBe(
      status === 201 ? 404 : status,
    );
    expect(await test.entries("access-refused")).toHaveLength(status === 201 ? 0 : 2);
  });
});
