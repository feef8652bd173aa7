import { approvalViewSchema } from "@remit/contract";
import type { JsonObject } from "@remit/contract";
import { describe, expect, test } from "vitest";
import type { App } from "../http/http-app.ts";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import { registerApprovalPages } from "./approval.pages.ts";
import { registerApprovalRoutes } from "./approval.routes.ts";
import { openTestApprovals, testDigest } from "./approval.testing.ts";
import type { TestApprovals } from "./approval.testing.ts";

/** Approvals behind an app in which a session's token is the name of its person. */
async function openTestPages(): Promise<TestApprovals & { app: App }> {
  const test = await openTestApprovals();
  const people = Object.fromEntries(["ada", "ben", "cleo", "emil", "fay"].map((party) => [party, test.person(party)]));
  const app = await createTestApp({ doorkeeper: testDoorkeeper(people) });
  registerApprovalRoutes(app, { approvals: test.approvals });
  registerApprovalPages(app, {
    approvals: test.approvals,
    registry: { current: () => test.registry.current },
    anchoring: async () => "WITNESSED(2 organisations)",
    now: () => new Date(test.clock.now),
  });
  return {
    ...test,
    app,
    [Symbol.asyncDispose]: async () => {
      await app.close();
      await test[Symbol.asyncDispose]();
    },
  };
}

const bearer = (party: string) => ({ authorization: `Bearer ${party}` });
const cookie = (party: string) => ({ cookie: `remit_session=${party}`, origin: "http://localhost:4680" });
const formHeaders = (party: string) => ({ ...cookie(party), "content-type": "application/x-www-form-urlencoded" });

describe("the API", () => {
  test("lists, shows, takes votes, hands over and calls off", async () => {
    await using test = await openTestPages();
    const [first, second] = [await test.ask(), await test.ask()];
    const list = await test.app.inject({ url: "/v1/approvals?state=pending&limit=1", headers: bearer("ben") });
    expect(list.statusCode).toBe(200);
    const page = list.json<{ items: unknown[]; next: string }>();
    expect(page.items.map((item) => approvalViewSchema.parse(item).id)).toEqual([second.id]);
    const rest = await test.app.inject({ url: `/v1/approvals?state=pending&cursor=${page.next}`, headers: bearer("ben") });
    expect(rest.json()).toMatchObject({ items: [{ id: first.id }], next: null });

    const post = (url: string, party: string, payload: object) => test.app.inject({ method: "POST", url, headers: bearer(party), payload });
    const handed = await post(`/v1/approvals/${first.id}/delegate`, "ben", { to: "fay" });
    expect(handed.json()).toMatchObject({ delegations: [{ from: "ben", to: "fay" }] });
    const voted = await post(`/v1/approvals/${first.id}/votes`, "fay", { vote: "approve", digest: testDigest, comment: "fine" });
    expect(voted.json()).toMatchObject({ state: "granted", you: { vote: "approve" } });
    const cancelled = await post(`/v1/approvals/${second.id}/cancel`, "ada", { reason: "solved" });
    expect(cancelled.json()).toMatchObject({ state: "cancelled", endedReason: "solved" });
    const shown = await test.app.inject({ url: `/v1/approvals/${second.id}`, headers: bearer("ben") });
    expect(shown.json()).toEqual({
      ...cancelled.json<object>(),
      you: { mayVote: false, mayDelegate: false, mayCancel: false, vote: null },
    });
  });

  test.each<[string, string, object, number, string]>([
    ["votes", "fay", { vote: "approve", digest: testDigest }, 403, "approval-not-eligible"],
    ["votes", "ben", { vote: "approve", digest: "e".repeat(64) }, 409, "conflict"],
    ["votes", "ben", { vote: "approve" }, 400, "invalid-request"],
    ["votes", "ben", { vote: "perhaps", digest: testDigest }, 400, "invalid-request"],
    ["votes", "ben", { vote: "approve", digest: testDigest, force: true }, 400, "invalid-request"],
    ["delegate", "ben", { to: "ada" }, 403, "approval-not-eligible"],
    ["cancel", "cleo", { reason: "mine" }, 403, "forbidden"],
    ["cancel", "ada", { reason: " " }, 400, "invalid-request"],
  ])("%s by %s of %o is refused with %i %s", async (verb, party, payload, status, code) => {
    await using test = await openTestPages();
    const { id } = await test.ask();
    const response = await test.app.inject({ method: "POST", url: `/v1/approvals/${id}/${verb}`, headers: bearer(party), payload });
    expect(response.statusCode).toBe(status);
    expect(response.json()).toMatchObject({ code });
    expect(response.headers["content-type"]).toContain("application/problem+json");
  });

  test("an expired request is a typed problem, and strangers get nothing", async () => {
    await using test = await openTestPages();
    const { id } = await test.ask();
    expect((await test.app.inject({ url: `/v1/approvals/${id}` })).statusCode).toBe(401);
    expect((await test.app.inject({ url: "/v1/approvals/apr_1", headers: bearer("ben") })).statusCode).toBe(400);
    test.clock.now += 4 * 3_600_000;
    const late = {
      method: "POST",
      url: `/v1/approvals/${id}/votes`,
      headers: bearer("ben"),
      payload: { vote: "approve", digest: testDigest },
    } as const;
    expect((await test.app.inject(late)).json()).toMatchObject({ code: "approval-expired", status: 403 });
  });
});

describe("the pages", () => {
  const hostile: JsonObject = {
    to: "kim@example.com",
    body: `Hello</pre><form action="https://evil.example"><button>Approve</button>\u202Egnp.exe${"x".repeat(5_000)} tail`,
    "<script>alert(1)</script>": ["a", { b: null }],
  };

  test("show everything that would run, escaped and whole, and what cannot be seen written out", async () => {
    await using test = await openTestPages();
    const { id } = await test.ask({ arguments: hostile });
    const page = await test.app.inject({ url: `/approvals/${id}`, headers: cookie("ben") });
    expect(page.statusCode).toBe(200);
    expect(page.headers["content-security-policy"]).toMatch(
      /^default-src 'none'; style-src 'nonce-[^']+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    );
    expect(page.body).not.toContain("<script");
    expect(page.body).not.toContain('evil.example"><button');
    expect(page.body).not.toContain("\u202E");
    expect(page.body).toContain("\\u{202e}gnp.exe");
    expect(page.body).toContain(`${"x".repeat(5_000)} tail`);
    expect(page.body).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    for (const words of [
      "support-agent",
      "Ada Admin",
      "Ticket 1042",
      "mail.ask",
      testDigest,
      "It cannot be undone.",
      "in 4 h",
      "Ben Support, Cleo Support",
    ]) {
      expect(page.body).toContain(words);
    }
    const front = await test.app.inject({ url: "/", headers: cookie("ben") });
    for (const { body } of [page, front]) expect(body).toContain("recorded in the ledger: WITNESSED(2 organisations)");
  });

  test("take a decision from a form of theirs, and from no other", async () => {
    await using test = await openTestPages();
    const { id } = await test.ask();
    const page = await test.app.inject({ url: `/approvals/${id}`, headers: cookie("ben") });
    const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.body)?.[1] ?? "";
    const send = (fields: Record<string, string>, headers: Record<string, string> = formHeaders("ben")) =>
      test.app.inject({ method: "POST", url: `/approvals/${id}/votes`, headers, payload: new URLSearchParams(fields).toString() });
    const good = { csrf: field("csrf"), digest: field("digest"), vote: "approve", comment: "" };
    expect((await send({ ...good, csrf: "of another session" })).statusCode).toBe(403);
    expect((await send({ ...good, csrf: "" })).statusCode).toBe(403);
    expect((await send(good, { ...formHeaders("ben"), origin: "https://evil.example" })).statusCode).toBe(403);
    expect((await test.approvals.get(id, test.person("ben"))).state).toBe("pending");

    const misread = await send({ ...good, digest: "e".repeat(64) });
    expect(misread.statusCode).toBe(409);
    expect(misread.body).toContain('role="alert"');
    expect(misread.body).toContain("look at it again");

    const done = await send(good);
    expect([done.statusCode, done.headers.location]).toEqual([303, `/approvals/${id}`]);
    const after = await test.app.inject({ url: `/approvals/${id}`, headers: cookie("ben") });
    expect(after.body).toContain("Approved; it is about to run, once");
    expect(after.body).toContain("You said yes. It stands.");
    expect(after.body).not.toContain("Approve exactly this");
  });

  test("hand over and call off", async () => {
    await using test = await openTestPages();
    const { id } = await test.ask();
    const send = (verb: string, party: string, fields: Record<string, string>) => {
      const payload = new URLSearchParams({ csrf: `csrf-of-${party}`, ...fields }).toString();
      return test.app.inject({ method: "POST", url: `/approvals/${id}/${verb}`, headers: formHeaders(party), payload });
    };
    const page = await test.app.inject({ url: `/approvals/${id}`, headers: cookie("ben") });
    expect([...page.body.matchAll(/<option value="(\w+)"/g)].map(([, party]) => party)).toEqual(["dana", "emil", "fay"]);
    expect((await send("delegate", "ben", { to: "fay" })).statusCode).toBe(303);
    expect((await send("delegate", "cleo", { to: "" })).statusCode).toBe(400);
    expect((await send("cancel", "ada", { reason: "solved" })).statusCode).toBe(303);
    const ended = await test.app.inject({ url: `/approvals/${id}`, headers: cookie("cleo") });
    expect(ended.body).toContain("Cancelled; it did not run");
    expect(ended.body).toContain("solved");
    expect(ended.body).not.toContain("<form");
  });

  test("approving is impossible, and denying possible, where the arguments cannot be shown", async () => {
    await using test = await openTestPages();
    const { id } = await test.ask();
    await test.superuser.query("DELETE FROM ledger_payload");
    const page = await test.app.inject({ url: `/approvals/${id}`, headers: cookie("ben") });
    expect(page.body).toMatch(/value="approve"[^>]* disabled/);
    expect(page.body).toMatch(/value="deny"\s*>/);
    expect(page.body).toContain("What cannot be shown cannot be approved");
    const vote = (word: "approve" | "deny") => test.approvals.vote(id, test.person("ben"), { vote: word, digest: testDigest });
    await expect(vote("approve")).rejects.toMatchObject({ code: "conflict" });
    expect((await vote("deny")).state).toBe("denied");
  });

  test("the first page says what waits for whom", async () => {
    await using test = await openTestPages();
    const { id } = await test.ask();
    const first = async (party: string) => (await test.app.inject({ url: "/", headers: cookie(party) })).body;
    expect(await first("ben")).toContain("One decision waits for you");
    expect(await first("ben")).toContain(`/approvals/${id}`);
    expect(await first("fay")).toContain("Nothing waits for you");
    expect(await first("fay")).toContain("Waiting for others");
    test.clock.now += 4 * 3_600_000;
    expect(await first("ben")).toContain("Nothing waits for you");
  });

  test("strangers are told how to log in, and what is not there is a page as well", async () => {
    await using test = await openTestPages();
    for (const url of ["/", `/approvals/apr_${"0".repeat(32)}`]) {
      const page = await test.app.inject({ url });
      expect([page.statusCode, page.body.includes("remit login")]).toEqual([401, true]);
    }
    for (const id of [`apr_${"0".repeat(32)}`, "apr_1", "%3Cscript%3E"]) {
      const page = await test.app.inject({ url: `/approvals/${id}`, headers: cookie("ben") });
      expect([page.statusCode, page.headers["content-type"]]).toEqual([404, "text/html; charset=utf-8"]);
    }
    const blind = await test.app.inject({
      method: "POST",
      url: `/approvals/apr_${"0".repeat(32)}/votes`,
      headers: formHeaders("ben"),
      payload: "csrf=csrf-of-ben",
    });
    expect(blind.statusCode).toBe(404);
  });
});
