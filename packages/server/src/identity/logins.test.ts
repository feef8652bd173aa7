import type { Me, StartedSession } from "@remit/contract";
import { buildRegistry } from "@remit/core/testing";
import { describe, expect, test } from "vitest";
import { csrfHeader } from "../http/doorkeeper.ts";
import { openTestIdentity } from "./identity.testing.ts";
import type { TestIdentity } from "./identity.testing.ts";

const form = { "content-type": "application/x-www-form-urlencoded", origin: "http://localhost:4680" };

const link = (test: TestIdentity, party: string, authorization = `Machine ${test.machineKey}`) =>
  test.app.inject({ method: "POST", url: "/v1/links", headers: { authorization }, payload: { party } });
const urlOf = async (test: TestIdentity, party: string) => new URL((await link(test, party)).json<{ url: string }>().url).pathname;
const startSession = (test: TestIdentity, given: string, from = "10.0.0.1") =>
  test.app.inject({ method: "POST", url: "/v1/sessions", payload: { link: given }, remoteAddress: from });
const me = (test: TestIdentity, headers: Record<string, string>) => test.app.inject({ url: "/v1/me", headers });

describe("login links", () => {
  test("are made by whoever owns the data folder, and by nobody else", async () => {
    await using test = await openTestIdentity();
    const made = await link(test, "ada");
    expect(made.statusCode).toBe(200);
    expect(made.json<{ url: string }>().url).toMatch(/^http:\/\/localhost:4680\/login\/remit_link_[A-Za-z0-9_-]{43}$/);
    const session = await test.login("ada");
    for (const authorization of ["Machine wrong", `Bearer ${session}`, `Bearer ${test.machineKey}`, "Machine ", ""]) {
      expect((await link(test, "ada", authorization)).statusCode, authorization).toBe(401);
    }
    expect((await link(test, "nobody")).statusCode).toBe(404);
    await test.apply(
      buildRegistry({
        parties: [
          { name: "ben", active: false },
          { name: "bot", type: "service" },
        ],
      }),
    );
    expect((await link(test, "ben")).statusCode).toBe(404);
    expect((await link(test, "bot")).statusCode).toBe(404);
    expect(await test.entries("link-issued")).toMatchObject([
      { actor: "service:machine", data: { party: "ada" } },
      { actor: "service:machine", data: { party: "ada" } },
    ]);
  });

  test("log a browser in after a click, not by being looked at", async () => {
    await using test = await openTestIdentity();
    const url = await urlOf(test, "ada");
    for (let look = 0; look < 3; look += 1) {
      const page = await test.app.inject({ url });
      expect([page.statusCode, page.headers["set-cookie"]]).toEqual([200, undefined]);
      expect(page.body).toContain("Ada Admin");
      expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
    }
    const clicked = await test.app.inject({ method: "POST", url, headers: form, payload: "" });
    expect([clicked.statusCode, clicked.headers["location"]]).toEqual([303, "/"]);
    const cookie = String(clicked.headers["set-cookie"]);
    expect(cookie).toMatch(/^remit_session=remit_session_[A-Za-z0-9_-]{43}; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/);
    const seen = await me(test, { cookie: cookie.split(";")[0] ?? "" });
    expect(seen.json<Me>()).toMatchObject({ party: "ada", displayName: "Ada Admin", roles: ["admin", "operator"], teams: ["finance"] });

    const again = await test.app.inject({ method: "POST", url, headers: form, payload: "" });
    expect([again.statusCode, again.headers["set-cookie"]]).toEqual([401, undefined]);
    expect((await test.app.inject({ url })).statusCode).toBe(401);
    const [used, refused] = await test.entries("link-used", "link-refused");
    expect(used).toMatchObject({ type: "link-used", actor: "party:ada", data: { linkedBy: "service:machine" } });
    expect(refused).toMatchObject({ type: "link-refused", data: { code: "link-used" } });
  });

  test("another site cannot log somebody in", async () => {
    await using test = await openTestIdentity();
    const url = await urlOf(test, "ada");
    for (const origin of ["https://evil.example", "http://localhost:3000", "null"]) {
      expect((await test.app.inject({ method: "POST", url, headers: { ...form, origin }, payload: "" })).statusCode).toBe(403);
    }
    expect((await test.app.inject({ method: "POST", url, headers: form, payload: "" })).statusCode).toBe(303);
  });

  test("give programs a session as well, by the whole URL or its token", async () => {
    await using test = await openTestIdentity();
    const { url } = (await link(test, "ben")).json<{ url: string }>();
    const started = (await startSession(test, ` ${url}\n`)).json<StartedSession>();
    expect(started.person).toEqual({ party: "ben", displayName: "Ben Support", roles: ["operator"], teams: ["support-lead"] });
    expect((await me(test, { authorization: `Bearer ${started.token}` })).json<Me>().party).toBe("ben");
    const token = (await urlOf(test, "ben")).split("/").at(-1) ?? "";
    expect((await startSession(test, token)).statusCode).toBe(200);
  });

  test("[CTL-05] 64 at once get one session out of one link", async () => {
    await using test = await openTestIdentity();
    const url = await urlOf(test, "ada");
    const answers = await Promise.all(Array.from({ length: 64 }, (_, index) => startSession(test, url, `10.0.1.${index}`)));
    const codes = answers.map((answer) => answer.json<{ code?: string }>().code ?? "session");
    expect(codes.filter((code) => code === "session")).toHaveLength(1);
    expect(codes.filter((code) => code === "link-used")).toHaveLength(63);
    expect(await test.superuser.query("SELECT count(*)::int AS n FROM session")).toEqual([{ n: 1 }]);
    expect(await test.entries("link-used")).toHaveLength(1);
    const refused = await test.entries("link-refused");
    expect(refused.reduce((sum, { data }) => sum + Number(data["count"] ?? 1), 0)).toBe(63);
  });

  test.each<[string, string, (test: TestIdentity) => Promise<string>]>([
    ["one that was never issued", "link-invalid", async () => `remit_link_${"x".repeat(43)}`],
    ["a session's token", "link-invalid", (test) => test.login("ada")],
    [
      "one that is too old",
      "link-invalid",
      async (test) => {
        const url = await urlOf(test, "ada");
        test.later(600_000);
        return url;
      },
    ],
    [
      "one of somebody who has been deactivated since",
      "link-invalid",
      async (test) => {
        const url = await urlOf(test, "ada");
        await test.apply(buildRegistry({ parties: [{ name: "ada", active: false }] }));
        return url;
      },
    ],
  ])("%s is refused and recorded", async (_name, code, make) => {
    await using test = await openTestIdentity();
    const given = await make(test);
    expect((await startSession(test, given)).json()).toMatchObject({ status: 401, code });
    expect((await test.app.inject({ url: `/login/${given.split("/").at(-1)}` })).statusCode).toBe(401);
    expect(await test.entries("link-refused")).toMatchObject([{ data: { code } }]);
  });

  test("wrong ones are answered only so often, a right one always: behind a proxy all come from one address", async () => {
    await using test = await openTestIdentity();
    for (let attempt = 0; attempt < 20; attempt += 1) expect((await startSession(test, "wrong")).statusCode).toBe(401);
    expect((await startSession(test, "wrong")).statusCode).toBe(429);
    expect((await startSession(test, "wrong", "10.0.0.2")).statusCode).toBe(401);
    const url = await urlOf(test, "ada");
    expect((await startSession(test, url)).statusCode).toBe(200);
    expect((await startSession(test, url)).statusCode).toBe(429);
  });
});

describe("sessions", () => {
  test("end by logging out, by age, and by nobody using them", async () => {
    await using test = await openTestIdentity();
    const alive = async (token: string) => (await me(test, { authorization: `Bearer ${token}` })).statusCode === 200;
    const [one, two] = [await test.login("ada"), await test.login("ada")];
    const out = await test.app.inject({ method: "DELETE", url: "/v1/sessions/current", headers: { authorization: `Bearer ${one}` } });
    expect([out.statusCode, await alive(one), await alive(two)]).toEqual([204, false, true]);
    expect(out.headers["set-cookie"]).toBe("remit_session=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax");
    expect(await test.entries("session-ended")).toMatchObject([{ actor: "party:ada" }]);

    for (let hours = 0; hours < 3; hours += 1) {
      test.later(11 * 3_600_000);
      expect(await alive(two)).toBe(true);
    }
    test.later(12 * 3_600_000);
    expect(await alive(two)).toBe(false);

    const three = await test.login("ada");
    for (let hours = 0; hours < 7 * 24 - 8; hours += 8) {
      test.later(8 * 3_600_000);
      expect(await alive(three)).toBe(true);
    }
    test.later(8 * 3_600_000);
    expect(await alive(three)).toBe(false);
  });

  test("[CTL-24] end, or lose their roles, with the registry that says so", async () => {
    await using test = await openTestIdentity();
    const authorization = `Bearer ${await test.login("ben")}`;
    const secrets = () => test.app.inject({ url: "/v1/agents/support-agent/secrets", headers: { authorization } });
    expect((await secrets()).statusCode).toBe(200);
    await test.apply(buildRegistry({ parties: [{ name: "ben", roles: [] }] }));
    expect([(await secrets()).statusCode, (await me(test, { authorization })).json<Me>().roles]).toEqual([403, []]);
    await test.apply(buildRegistry({ parties: [{ name: "ben", active: false }] }));
    expect((await me(test, { authorization })).statusCode).toBe(401);
    await test.apply(buildRegistry());
    expect((await me(test, { authorization })).statusCode).toBe(200);
    expect(await test.entries("access-refused")).toMatchObject([
      { actor: "party:ben", data: { code: "forbidden" } },
      { actor: "service:unknown", data: { code: "unauthenticated" } },
    ]);
  });

  test("a browser's session changes nothing without the CSRF token that only our pages know", async () => {
    await using test = await openTestIdentity();
    const [own, other] = [await test.login("ben"), await test.login("ben")];
    const cookie = `remit_session=${own}`;
    const csrfOf = async (session: string) => (await me(test, { cookie: `remit_session=${session}` })).json<Me>().csrf;
    const issue = (headers: Record<string, string>) =>
      test.app.inject({ method: "POST", url: "/v1/agents/support-agent/secrets", headers: { cookie, ...headers } });
    expect((await issue({})).statusCode).toBe(403);
    expect((await issue({ [csrfHeader]: await csrfOf(other) })).statusCode).toBe(403);
    expect((await issue({ [csrfHeader]: await csrfOf(own) })).statusCode).toBe(201);
    expect(await csrfOf(own)).not.toContain(own.slice(-10));
  });

  test("a flood at the door becomes a handful of entries", async () => {
    await using test = await openTestIdentity();
    await Promise.all(Array.from({ length: 300 }, (_, index) => me(test, { authorization: `Bearer wrong-${index}` })));
    const entries = await test.entries("access-refused");
    expect(entries).toHaveLength(6);
    expect(entries.at(-1)?.data["count"]).toBe(295);
  });
});

test("the routes are described as OpenAPI", async () => {
  await using test = await openTestIdentity();
  const response = await test.app.inject({ url: "/openapi.json" });
  expect(response.statusCode).toBe(200);
  const paths = Object.keys(response.json<{ paths: object }>().paths);
  expect(paths.toSorted((left, right) => left.localeCompare(right))).toEqual([
    "/v1/agents/{name}/secrets",
    "/v1/agents/{name}/secrets/{id}",
    "/v1/consents",
    "/v1/consents/{id}",
    "/v1/links",
    "/v1/me",
    "/v1/sessions",
    "/v1/sessions/current",
  ]);
});
