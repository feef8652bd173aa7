import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { openTestIdentity, testAudience } from "./identity.testing.ts";
import type { TestIdentity } from "./identity.testing.ts";

const grant = { grant_type: "client_credentials", resource: testAudience };
const issue = (test: TestIdentity) => test.identity.secrets.issue("support-agent", { expiresInDays: 1, actor: "party:ada" });

describe("[CTL-03] the token endpoint", () => {
  test("gives a real client over HTTP a token that verifies against the published keys", async () => {
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
});
