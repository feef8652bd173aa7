import { createHash, randomBytes } from "node:crypto";
import { auth } from "@modelcontextprotocol/client";
import type { OAuthClientInformationMixed, OAuthClientProvider, OAuthTokens } from "@modelcontextprotocol/client";
import { buildRegistry } from "@remit/core/testing";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { App } from "../http/http-app.ts";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { openTestIdentity, testAudience } from "./identity.testing.ts";
import type { TestIdentity } from "./identity.testing.ts";

const clientId = "https://ide.example/client.json";
const redirectUri = "http://127.0.0.1:33418/callback";
const document = {
  client_id: clientId,
  client_name: "Ide\u200B <b>",
  redirect_uris: ["http://127.0.0.1/callback"],
  application_type: "native",
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};

/** The Internet, with one client's document on it. */
function internet(documents: Record<string, unknown>): Outbound & { fetched: string[] } {
  const fetched: string[] = [];
  return {
    fetched,
    async fetch({ url }) {
      fetched.push(url);
      const body = Buffer.from(JSON.stringify(documents[url] ?? null));
      return { type: "fetched", url, status: documents[url] === undefined ? 404 : 200, mediaType: "application/json", headers: {}, body };
    },
  };
}

const verifier = "v".repeat(64);
const query = (more: Record<string, string> = {}) =>
  new URLSearchParams({
    client_id: clientId,
    response_type: "code",
    redirect_uri: redirectUri,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    resource: testAudience,
    state: "st",
    ...more,
  }).toString();

/** A browser in which one person is logged in, or nobody. Its requests go to these servers by turns. */
async function openBrowser(test: TestIdentity, party: string | null, apps: readonly App[] = [test.app]) {
  let turn = 0;
  const cookies = new Map<string, string>(party === null ? [] : [["remit_session", await test.login(party)]]);
  async function send(method: "GET" | "POST", url: string, fields?: Record<string, string>) {
    turn += 1;
    const response = await (apps[turn % apps.length] ?? test.app).inject({
      method,
      url,
      headers: {
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
        ...(fields ? { "content-type": "application/x-www-form-urlencoded", origin: "http://localhost:4680" } : {}),
      },
      ...(fields ? { payload: new URLSearchParams(fields).toString() } : {}),
    });
    for (const { name, value } of response.cookies) cookies.set(name, value);
    const location = response.headers.location ?? "";
    return {
      status: response.statusCode,
      body: response.body,
      headers: response.headers,
      location: location.replace("http://localhost:4680", ""),
    };
  }
  const fieldOf = (page: string, name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1] ?? "";
  return {
    cookies,
    get: (url: string) => send("GET", url),
    post: (url: string, fields: Record<string, string>) => send("POST", url, fields),
    /** Goes to the page on which the person is asked. */
    async ask(more: Record<string, string> = {}) {
      const first = await send("GET", `/oidc/authorize?${query(more)}`);
      const page = await send("GET", first.location);
      return { first, page, url: first.location, csrf: fieldOf(page.body, "csrf") };
    },
    /** The whole way, to the address that the client is sent. */
    async choose(choice: string, more: Record<string, string> = {}) {
      const { url, csrf } = await this.ask(more);
      const said = await send("POST", url, { csrf, choice });
      return new URL((await send("GET", said.location)).location);
    },
  };
}

type Server = Pick<TestIdentity, "app">;

async function exchange({ app }: Server, fields: Record<string, string>) {
  const response = await app.inject({
    method: "POST",
    url: "/oidc/token",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    payload: new URLSearchParams({ client_id: clientId, ...fields }).toString(),
  });
  return { status: response.statusCode, body: response.json<Record<string, string>>() };
}
const redeem = (at: Server, code: string, more: Record<string, string> = {}) =>
  exchange(at, {
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
    resource: testAudience,
    ...more,
  });

const registry = () =>
  buildRegistry({
    agents: [
      { name: "support-agent", accountable: "ada", environments: ["dev", "staging"] },
      { name: "ben-agent", accountable: "ben" },
    ],
  });
const open = (documents: Record<string, unknown> = { [clientId]: document }) => {
  const outbound = internet(documents);
  return openTestIdentity(registry(), { outbound }).then((test) => Object.assign(test, { outbound }));
};

/** For all tests in which nothing is given: one server, with every document on its Internet. */
const documents: Record<string, unknown> = { [clientId]: document };
let shared: Awaited<ReturnType<typeof open>>;
beforeAll(async () => {
  shared = await open(documents);
});
afterAll(() => shared[Symbol.asyncDispose]());

const choice = "support-agent/staging/customer_support_tier1_v3";

describe("a person's client", () => {
  test("[CTL-02][CTL-23] gets a token of the agent that the person chose, and of nobody else, after the person has been asked", async () => {
    await using test = await open();
    const browser = await openBrowser(test, "ada");
    const { page, url, csrf } = await browser.ask();
    expect(page.status).toBe(200);
    expect(page.body).toContain("<strong>ide.example</strong>");
    expect(page.body).toContain("Ide\\u{200b} &lt;b&gt;");
    expect(page.body).toContain("127.0.0.1:33418");
    expect(page.body).toContain(choice);
    expect(page.body).not.toContain("ben-agent");
    expect(page.headers["content-security-policy"]).toContain("form-action 'self' http://127.0.0.1:33418;");

    const said = await browser.post(url, { csrf, choice });
    expect(said.status).toBe(303);
    const back = new URL((await browser.get(said.location)).location);
    expect(`${back.origin}${back.pathname}`).toBe(redirectUri);
    expect(Object.fromEntries(back.searchParams)).toMatchObject({ state: "st", iss: "http://localhost:4680/oidc" });

    const { status, body } = await redeem(test, back.searchParams.get("code") ?? "");
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: "Bearer", expires_in: 300, scope: "mcp env:staging policy:customer_support_tier1_v3" });
    const caller = await test.identity.callers.verify(body["access_token"] ?? "", testAudience);
    expect(caller).toMatchObject({ agent: "support-agent", accountable: "ada", environment: "staging", run: null });
    expect(decodeJwt(body["access_token"] ?? "")).toMatchObject({ client_id: clientId, secret: null, aud: testAudience });
    const [given, issued] = await test.entries("consent-given", "token-issued");
    expect(given).toMatchObject({ actor: "party:ada", data: { agent: "support-agent", client: clientId, redirect: "127.0.0.1:33418" } });
    expect(issued).toMatchObject({ actor: "agent:support-agent", data: { consent: given?.data["consent"], client: clientId } });
  });

  test("[CTL-23] is asked about every time, and never let in silently", async () => {
    await using test = await open();
    const browser = await openBrowser(test, "ada");
    await browser.choose(choice);
    const again = await browser.get(`/oidc/authorize?${query()}`);
    expect(again.location).toMatch(/^\/oidc\/consent\//);
    const silent = new URL((await browser.get(`/oidc/authorize?${query({ prompt: "none" })}`)).location);
    expect(silent.searchParams.get("error")).toBe("interaction_required");
    expect(silent.searchParams.get("iss")).toBe("http://localhost:4680/oidc");
    expect(silent.searchParams.get("code")).toBeNull();
  });

  test("[CTL-23] a refusal reaches the client, and nothing else does", async () => {
    const test = shared;
    const browser = await openBrowser(test, "ada");
    const back = await browser.choose("no");
    expect(Object.fromEntries(back.searchParams)).toMatchObject({ error: "access_denied", state: "st", iss: "http://localhost:4680/oidc" });
    expect(await test.entries("consent-given")).toEqual([]);
  });

  test.each([
    ["ben-agent/dev/customer_support_tier1_v3", {}],
    ["support-agent/production/customer_support_tier1_v3", {}],
    ["support-agent/dev/customer_support_tier1_v3", { scope: "mcp env:staging" }],
    ["support-agent/staging", {}],
    ["", {}],
  ])("[CTL-03] cannot be made %s by a form that says so", async (said, more) => {
    const test = shared;
    const browser = await openBrowser(test, "ada");
    const { url, csrf } = await browser.ask(more);
    const answer = await browser.post(url, { csrf, choice: said });
    expect([answer.status, answer.body]).toEqual([422, expect.stringContaining("not among them")]);
    expect(await test.entries("consent-given")).toEqual([]);
  });

  test("[CTL-23] another person's page, another session's form and a stranger's browser give nothing", async () => {
    await using test = await open();
    const [ada, ben, stranger] = [await openBrowser(test, "ada"), await openBrowser(test, "ben"), await openBrowser(test, null)];
    const { url, csrf } = await ada.ask();
    expect((await ben.get(url)).status).toBe(410);
    expect((await ben.post(url, { csrf, choice })).status).toBe(403);
    expect((await ada.post(url, { csrf: "x", choice })).status).toBe(403);
    expect((await stranger.post(url, { csrf, choice })).status).toBe(401);
    expect(await stranger.get(`/oidc/authorize?${query()}`)).toMatchObject({ status: 401, body: expect.stringContaining("Log in first") });
    expect(await test.entries("consent-given")).toEqual([]);
    // The stranger's visit made nothing be fetched.
    expect(test.outbound.fetched).toHaveLength(1);
  });

  test("[CTL-05] a code and a refresh token work once; used twice, everything that came of them ends", async () => {
    await using test = await open();
    const browser = await openBrowser(test, "ada");
    const code = (await browser.choose(choice)).searchParams.get("code") ?? "";
    const both = await Promise.all([redeem(test, code), redeem(test, code)]);
    // None, where the second was seen before the first had got its token.
    expect(both.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);

    const next = (await browser.choose(choice)).searchParams.get("code") ?? "";
    const first = (await redeem(test, next)).body;
    const refresh = (token = "") => exchange(test, { grant_type: "refresh_token", refresh_token: token, resource: testAudience });
    const second = await refresh(first["refresh_token"]);
    expect(second.status).toBe(200);
    expect(second.body["refresh_token"]).not.toBe(first["refresh_token"]);
    await expect(test.identity.callers.verify(second.body["access_token"] ?? "", testAudience)).resolves.toBeDefined();
    expect((await refresh(first["refresh_token"])).status).toBe(400);
    expect((await refresh(second.body["refresh_token"])).status).toBe(400);
    const consent = decodeJwt(second.body["access_token"] ?? "")["consent"];
    const withdrawn = async () => (await test.entries("consent-withdrawn")).map(({ data }) => data["consent"]);
    await expect.poll(withdrawn).toContain(consent);
    // It is recorded, and looked at by this server a moment after.
    const verified = () => test.identity.callers.verify(second.body["access_token"] ?? "", testAudience).catch((error: unknown) => error);
    await expect.poll(verified).toMatchObject({ code: "token-revoked" });
  });

  test("[CTL-05][CTL-23] each step may be at another server: the consent, the code, which all of them redeem once, and the refresh token", async () => {
    const known: Record<string, unknown> = { [clientId]: document };
    await using test = await open(known);
    const servers = [test, await test.another(), await test.another()];
    const browser = await openBrowser(
      test,
      "ada",
      servers.map(({ app }) => app),
    );
    const [a, b, c] = servers as [Server, Server, Server];
    const code = (await browser.choose(choice)).searchParams.get("code") ?? "";
    const first = await redeem(b, code);
    expect(first.status).toBe(200);
    const refresh = (at: Server, token = "") => exchange(at, { grant_type: "refresh_token", refresh_token: token, resource: testAudience });
    const second = await refresh(c, first.body["refresh_token"]);
    expect(second.status).toBe(200);
    // Used twice, wherever: everything that came of it ends on all of them.
    expect((await refresh(a, first.body["refresh_token"])).status).toBe(400);
    expect((await refresh(b, second.body["refresh_token"])).status).toBe(400);

    const next = (await browser.choose(choice)).searchParams.get("code") ?? "";
    const redeemed = await Promise.all(servers.map((at) => redeem(at, next)));
    expect(redeemed.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    for (const at of servers) expect((await redeem(at, next)).status).toBe(400);

    // A server that has not seen the client's document, which is not there any more.
    const { url } = await browser.ask();
    delete known[clientId];
    const late = await openBrowser(
      test,
      "ada",
      [await test.another()].map(({ app }) => app),
    );
    for (const [name, value] of browser.cookies) late.cookies.set(name, value);
    expect((await late.get(url)).status).toBe(410);
  });

  test("[CTL-23] a code is worth nothing to anybody but who asked for it, and for nothing else", async () => {
    const other = "https://other.example/client.json";
    await using test = await open({ [clientId]: document, [other]: { ...document, client_id: other } });
    const browser = await openBrowser(test, "ada");
    for (const more of [
      { code_verifier: "w".repeat(64) },
      { code_verifier: "" },
      { redirect_uri: "http://127.0.0.1:1/other" },
      { resource: "https://evil.example/mcp" },
      { client_id: other },
    ]) {
      const code = (await browser.choose(choice)).searchParams.get("code") ?? "";
      expect((await redeem(test, code, more)).status, JSON.stringify(more)).toBeGreaterThanOrEqual(400);
    }
    expect(await test.entries("token-issued")).toEqual([]);
  });

  test("[CTL-03][CTL-05] a consent is withdrawn by who gave it or who operates; its tokens end within the second", async () => {
    await using test = await open();
    const browser = await openBrowser(test, "ada");
    const { body } = await redeem(test, (await browser.choose(choice)).searchParams.get("code") ?? "");
    const as = async (party: string) => ({ authorization: `Bearer ${await test.login(party)}` });
    const list = await test.app.inject({ url: "/v1/consents", headers: await as("ada") });
    const [consent] = list.json<{ items: { id: string }[] }>().items;
    expect(consent).toMatchObject({ client: clientId, agent: "support-agent", party: "ada", withdrawnAt: null });
    const end = async (party: string) =>
      (await test.app.inject({ method: "DELETE", url: `/v1/consents/${consent?.id ?? ""}`, headers: await as(party) })).statusCode;
    expect(await end("cleo")).toBe(404);
    expect(await end("ada")).toBe(204);
    expect(await end("ada")).toBe(404);
    await expect(test.identity.callers.verify(body["access_token"] ?? "", testAudience)).rejects.toMatchObject({ code: "token-revoked" });
    expect((await exchange(test, { grant_type: "refresh_token", refresh_token: body["refresh_token"] ?? "" })).status).toBe(400);
  });

  test("[CTL-03] an agent that goes to somebody else takes no client along", async () => {
    await using test = await open();
    const browser = await openBrowser(test, "ada");
    const { body } = await redeem(test, (await browser.choose(choice)).searchParams.get("code") ?? "");
    await test.apply(buildRegistry({ agents: [{ name: "support-agent", accountable: "ben", environments: ["dev", "staging"] }] }));
    await expect(test.identity.callers.verify(body["access_token"] ?? "", testAudience)).rejects.toMatchObject({ code: "token-revoked" });
    const refreshed = await exchange(test, { grant_type: "refresh_token", refresh_token: body["refresh_token"] ?? "" });
    expect(refreshed).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  });

  test("[CTL-05] no code, refresh token or cookie is in a row or an entry", async () => {
    await using test = await open();
    const browser = await openBrowser(test, "ada");
    const code = (await browser.choose(choice)).searchParams.get("code") ?? "";
    const { body } = await redeem(test, code);
    const rows = await test.superuser.query("SELECT to_jsonb(r) AS row FROM oauth_record r UNION ALL SELECT to_jsonb(c) FROM consent c");
    const everywhere = [JSON.stringify(rows), ...test.logged, ...(await test.entries()).map((entry) => entry.body)].join("\n");
    const secrets = [
      code,
      body["access_token"] ?? "",
      body["refresh_token"] ?? "",
      ...[...browser.cookies.values()].filter((value) => value.length > 20),
    ];
    for (const secret of secrets) expect(everywhere).not.toContain(secret);
  });
});

describe("[CTL-22] the document of a client", () => {
  test.each<[string, unknown]>([
    ["of another client", { ...document, client_id: "https://evil.example/client.json" }],
    ["with a secret", { ...document, client_secret: "x" }],
    ["that wants a shared secret", { ...document, token_endpoint_auth_method: "client_secret_post" }],
    ["without redirect addresses", { ...document, redirect_uris: [] }],
    ["with a script for an address", { ...document, redirect_uris: ["javascript:alert(1)"] }],
    ["that is no object", []],
    ["that is not there", undefined],
  ])("%s lets nobody in", async (name, found) => {
    const client_id = `https://ide.example/${encodeURIComponent(name)}.json`;
    const isSelfNamed = typeof found === "object" && found !== null && "client_id" in found && found.client_id === clientId;
    documents[client_id] = isSelfNamed ? { ...found, client_id } : found;
    const browser = await openBrowser(shared, "ada");
    const answer = await browser.get(`/oidc/authorize?${query({ client_id })}`);
    expect(answer.location).toBe("");
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body).toContain("cannot be connected");
    expect(answer.headers["content-security-policy"]).toContain("default-src 'none'");
  });

  test("no code is sent to an address that the document does not list", async () => {
    const test = shared;
    const browser = await openBrowser(test, "ada");
    for (const redirect_uri of ["https://evil.example/callback", "http://127.0.0.1:1/other", "http://localhost.evil.example/callback"]) {
      expect(await browser.get(`/oidc/authorize?${query({ redirect_uri })}`)).toMatchObject({ status: 400, location: "" });
    }
  });

  test("at an address inside is not fetched", async () => {
    await using test = await openTestIdentity(registry(), { outbound: createOutbound() });
    const browser = await openBrowser(test, "ada");
    const inside = ["https://127.0.0.1/client.json", "https://169.254.169.254/latest/meta-data", "https://[::1]/client.json"];
    for (const client_id of inside) {
      expect((await browser.get(`/oidc/authorize?${query({ client_id })}`)).body).toContain("may not be reached");
    }
    expect(await test.entries("token-refused")).not.toEqual([]);
  });

  test("nobody makes it be fetched at the token endpoint", async () => {
    const test = shared;
    const client_id = "https://ide.example/unseen.json";
    documents[client_id] = { ...document, client_id };
    expect(await redeem(test, "x", { client_id })).toMatchObject({ body: { error: "invalid_client" } });
    expect(test.outbound.fetched).not.toContain(client_id);
  });

  test.each<[string, Record<string, string>, string]>([
    ["no resource", { resource: "" }, "invalid_target"],
    ["another resource", { resource: "https://evil.example/mcp" }, "invalid_target"],
    ["no PKCE", { code_challenge: "", code_challenge_method: "" }, "invalid_request"],
    ["plain PKCE", { code_challenge_method: "plain" }, "invalid_request"],
    ["a token in the address", { response_type: "token" }, "unsupported_response_type"],
  ])("a request with %s is refused, and the refusal says who speaks", async (_name, more, error) => {
    const test = shared;
    const browser = await openBrowser(test, "ada");
    const fields = new URLSearchParams(query(more));
    for (const name of Object.keys(more)) if (more[name] === "") fields.delete(name);
    const { location } = await browser.get(`/oidc/authorize?${fields.toString()}`);
    const said = new URL(location.replace("#", "?")).searchParams;
    expect([said.get("error"), said.get("iss")]).toEqual([error, "http://localhost:4680/oidc"]);
  });
});

test("[CTL-23][CTL-39] a client of the official SDK finds its own way, from the resource to a token", async () => {
  await using test = await open();
  const address = await test.app.listen({ host: "127.0.0.1", port: 0 });
  const fetchFn = async (url: string | URL, init?: RequestInit) => fetch(String(url).replace("http://localhost:4680", address), init);
  const kept: {
    verifier: string;
    tokens: OAuthTokens | undefined;
    asked: URL | undefined;
    client: OAuthClientInformationMixed | undefined;
  } = {
    verifier: "",
    tokens: undefined,
    asked: undefined,
    client: undefined,
  };
  const provider: OAuthClientProvider = {
    redirectUrl: redirectUri,
    clientMetadataUrl: clientId,
    clientMetadata: { client_name: "Ide", redirect_uris: [redirectUri], token_endpoint_auth_method: "none" },
    state: () => randomBytes(8).toString("hex"),
    clientInformation: () => kept.client,
    saveClientInformation: (client) => void (kept.client = client),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void (kept.tokens = tokens),
    redirectToAuthorization: (url) => void (kept.asked = url),
    saveCodeVerifier: (value) => void (kept.verifier = value),
    codeVerifier: () => kept.verifier,
  };
  expect(await auth(provider, { serverUrl: `http://localhost:4680/mcp`, fetchFn })).toBe("REDIRECT");
  const asked = kept.asked;
  if (asked === undefined) throw new Error("the client asked nobody");
  expect(Object.fromEntries(asked.searchParams)).toMatchObject({
    client_id: clientId,
    resource: testAudience,
    code_challenge_method: "S256",
  });

  const browser = await openBrowser(test, "ada");
  const first = await browser.get(`${asked.pathname}${asked.search}`);
  const page = await browser.get(first.location);
  const csrf = /name="csrf" value="([^"]*)"/.exec(page.body)?.[1] ?? "";
  const said = await browser.post(first.location, { csrf, choice });
  const back = new URL((await browser.get(said.location)).location);
  const iss = back.searchParams.get("iss") ?? "";
  const authorizationCode = back.searchParams.get("code") ?? "";
  expect(await auth(provider, { serverUrl: `http://localhost:4680/mcp`, fetchFn, authorizationCode, iss })).toBe("AUTHORIZED");
  await expect(test.identity.callers.verify(kept.tokens?.access_token ?? "", testAudience)).resolves.toMatchObject({
    agent: "support-agent",
  });
});
