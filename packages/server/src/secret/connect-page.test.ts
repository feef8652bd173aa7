import type { Person } from "@remit/contract";
import { expect, test } from "vitest";
import { sessionCookie } from "../http/session-cookie.ts";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import { newId } from "../id/new-id.ts";
import { registerConnectRoutes } from "./connect.routes.ts";
import { browse, openTestOAuthServer } from "./oauth-server.testing.ts";
import { openTestCredentials, testCredential, testUpstream } from "./secret.testing.ts";

const person = (party: string, roles: Person["roles"]): Person => ({
  party,
  roles,
  linkedBy: "service:machine",
  sessionId: newId("session"),
});

/** The pages by which people let Remit in at an upstream, with a real authorization server behind them. */
async function open(from: { per?: "person" } = { per: "person" }) {
  const server = await openTestOAuthServer();
  const spec = testUpstream("crm", "crm-user", { transport: { type: "http", url: server.upstreamUrl } });
  const test = await openTestCredentials([spec], [testCredential("crm-user", { type: "oauth-user", ...from }, { type: "bearer" })]);
  const doorkeeper = testDoorkeeper({
    "ada-session": person("ada", ["admin"]),
    "ben-session": person("ben", ["operator"]),
    "vic-session": person("vic", ["viewer"]),
  });
  const app = await createTestApp({ doorkeeper });
  registerConnectRoutes(app, { grants: test.grants, publicUrl: new URL("http://127.0.0.1:4680") });
  const cookies = (who: string | null) => (who === null ? {} : { cookies: { [sessionCookie]: `${who}-session` } });
  return {
    test,
    get: (url: string, who: string | null) => app.inject({ method: "GET", url, ...cookies(who) }),
    post: (fields: Record<string, string>, who: string | null) =>
      app.inject({
        method: "POST",
        url: "/connect/callback",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        payload: new URLSearchParams(fields).toString(),
        ...cookies(who),
      }),
    /** Goes where the page leads, consents, and is sent back; the address it is sent back to. */
    async consent(page: string): Promise<URL> {
      const href = /<a href="([^"]+)"/.exec(page)?.[1]?.replaceAll("&amp;", "&") ?? "";
      return await browse(href, "http://127.0.0.1:4680/connect/callback");
    },
    async [Symbol.asyncDispose]() {
      await app.close();
      await test[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("[CTL-23][CTL-22] a person's own consent is begun and finished in that person's browser; nobody else's finishes it", async () => {
  await using it = await open();
  const stranger = await it.get("/connect/crm", null);
  expect(stranger.statusCode).toBe(401);
  expect(stranger.body).toContain("remit login");

  const page = await it.get("/connect/crm", "ada");
  expect(page.statusCode).toBe(200);
  expect(page.body).toContain("as you, for agents that you answer for");
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
  expect(page.body).not.toContain("<script");
  const back = await it.consent(page.body);
  const fields = Object.fromEntries(back.searchParams);

  // Coming back is not enough: one step in the logged-in browser finishes it.
  const asked = await it.get(`${back.pathname}${back.search}`, null);
  expect(asked.body).toContain("Agents that <strong>ada</strong> answers for will act there as you.");
  expect(await it.test.grants.list()).toEqual([]);
  for (const who of ["ben", "vic", null]) {
    const refused = await it.post(fields, who);
    expect(refused.statusCode).toBe(403);
    expect(refused.body).toContain("begun by somebody else");
  }
  expect(await it.test.grants.list()).toEqual([]);

  const done = await it.post(fields, "ada");
  expect(done.body).toContain("Remit is let in at <strong>crm</strong>");
  expect(await it.test.grants.list()).toMatchObject([{ upstream: "crm", person: "ada", state: "connected" }]);
  // It comes back once.
  expect((await it.post(fields, "ada")).statusCode).toBe(403);
  expect((await it.get(`${back.pathname}${back.search}`, "ada")).body).toContain("used or has expired");
});

test("[CTL-23] a consent for everybody is an operator's to begin, and comes back by itself", async () => {
  await using it = await open({});
  const refused = await it.get("/connect/crm", "vic");
  expect(refused.statusCode).toBe(403);
  const page = await it.get("/connect/crm", "ben");
  expect(page.body).toContain("for every agent that may use it");
  const back = await it.consent(page.body);
  const done = await it.get(`${back.pathname}${back.search}`, null);
  expect(done.body).toContain("Remit is let in at <strong>crm</strong>");
  expect(await it.test.grants.list()).toMatchObject([{ upstream: "crm", person: "", state: "connected" }]);
});

test("[CTL-22][CTL-23] what an address brings along is shown as text; what is unknown, or refused over there, is said", async () => {
  await using it = await open();
  const page = await it.get("/connect/crm", "ada");
  const back = await it.consent(page.body);
  const state = back.searchParams.get("state") ?? "";
  const hostile = `"><script>alert(1)</script>`;
  const shown = await it.get(`/connect/callback?state=${encodeURIComponent(state)}&iss=${encodeURIComponent(hostile)}&code=x`, "ada");
  expect(shown.statusCode).toBe(200);
  expect(shown.body).not.toContain("<script");
  expect((await it.get("/connect/callback?state=made-up&code=x", "ada")).statusCode).toBe(400);
  expect((await it.get("/connect/callback", "ada")).statusCode).toBe(400);
  const no = await it.post({ state, error: "access_denied", iss: back.searchParams.get("iss") ?? "" }, "ada");
  expect(no.statusCode).toBe(403);
  expect(no.body).toContain("This did not work");
  expect(no.body).not.toContain("begun by somebody else");
  expect(await it.test.grants.list()).toEqual([]);
  const unknown = await it.get("/connect/nothing", "ada");
  expect(unknown.statusCode).toBe(400);
  expect(unknown.body).toContain("This did not work");
});
