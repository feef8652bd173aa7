import type { JsonObject } from "@remit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openApprovalGateway } from "./approval-protocol.testing.ts";
import { post, postStateless } from "./gateway.testing.ts";

const file = (policy: string) => `policies/${policy}/all.cedar`;
const set = (name: string, text: string) => ({ name, sources: [{ file: file(name), text }] });
const only = (tool: string) => `@id("grants.${tool}") permit (principal, action == Remit::Action::"helpdesk__${tool}", resource);`;
const asks = `@id("mail.ask") @approval("support-lead") forbid (principal, action == Remit::Action::"helpdesk__send_email", resource)
unless { context.approvals.contains(Remit::Team::"support-lead") };`;
const stops = `@id("stop.refund") forbid (principal, action == Remit::Action::"helpdesk__refund.create", resource);`;

let opened: Awaited<ReturnType<typeof openApprovalGateway>>;
beforeAll(async () => {
  opened = await openApprovalGateway(
    {
      policies: [
        set("customer_support_tier1_v3", `${only("tickets.read")} ${stops}`),
        set("mail_v1", `${only("send_email")} ${asks}`),
        set("money_v1", only("refund.create")),
      ],
      agents: [
        { name: "support-agent", policies: ["customer_support_tier1_v3", "mail_v1", "money_v1"] },
        { name: "other-agent", tier: 0 },
      ],
    },
    { furtherPolicies: ["mail_v1", "money_v1"] },
  );
});
afterAll(() => opened[Symbol.asyncDispose]());

const mail = { name: "helpdesk__send_email", arguments: { to: "kim@example.com", body: "Hello" } };
const scope = "mcp env:staging policy:mail_v1";

test("[CTL-04][CTL-39] a token narrower than its agent is challenged for every scope that the call needs, and told what comes after", async () => {
  const { status, headers, json } = await postStateless(opened.url, "tools/call", mail);
  expect(status).toBe(403);
  const challenge = headers.get("www-authenticate") ?? "";
  expect(challenge).toContain('error="insufficient_scope"');
  expect(challenge).toContain(`scope="${scope}"`);
  expect(challenge).toContain('resource_metadata="http://localhost:4680/.well-known/oauth-protected-resource/mcp"');
  expect(json.error).toMatchObject({
    code: -32003,
    data: {
      code: "insufficient-scope",
      scopes: scope.split(" "),
      missing: [
        { type: "scope", scopes: scope.split(" ") },
        { type: "approval", teams: ["support-lead"] },
      ],
    },
  });
  expect(json.error.message).toContain("support-lead");
  // The attempt is recorded as any other.
  const entries = await opened.remit.entries((json.error.data as { actionId: string }).actionId);
  expect(entries.map(({ type }) => type)).toEqual(["action-denied"]);
});

test("[CTL-04] the challenge names the address that was asked, in every revision", async () => {
  const body = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { ...mail, name: "send_email" } };
  const { status, headers } = await post(`${opened.url}/helpdesk`, body, { "mcp-protocol-version": "2025-11-25" });
  expect(status).toBe(403);
  expect(headers.get("www-authenticate")).toContain("oauth-protected-resource/mcp/helpdesk");
});

test("[CTL-04] no way around a policy that forbids is shown, though another policy of the agent would let it through", async () => {
  const refund = { name: "helpdesk__refund.create", arguments: { amountCents: 100, currency: "EUR" } };
  const { status, headers, json } = await postStateless(opened.url, "tools/call", refund);
  expect([status, headers.get("www-authenticate")]).toEqual([200, null]);
  expect(json.result).toMatchObject({ isError: true, _meta: { "remit/outcome": { code: "policy-stop" } } });
  expect(JSON.stringify(json)).not.toContain("money_v1");
});

test("[CTL-08] where no token would do, the result says all that is missing", async () => {
  const bearer = { authorization: "Bearer other" };
  const { status, headers, json } = await postStateless(opened.url, "tools/call", mail, bearer);
  expect([status, headers.get("www-authenticate")]).toEqual([200, null]);
  expect(json.result).toMatchObject({
    isError: true,
    _meta: {
      "remit/outcome": {
        code: "tier-too-low",
        missing: [
          { type: "tier", has: 0, needs: 2 },
          { type: "grant", policies: ["customer_support_tier1_v3"] },
        ],
      },
    },
  });
  expect(JSON.stringify(json.result["content"])).toContain("Missing: tier 2 (the agent has 0)");
});

test("[CTL-04] the token of a run is the run's: it is not led to another one", async () => {
  const caller = await opened.remit.run();
  const outcome = await opened.remit.act("send_email", mail.arguments, { caller });
  expect(outcome).toMatchObject({ type: "denied", code: "no-grant" });
  expect(opened.missing(caller, mail.name, mail.arguments)).toEqual([{ type: "grant", policies: ["customer_support_tier1_v3"] }]);
});

test("[CTL-14] the same call is judged by the set that its run names, and by none of the agent's others", async () => {
  const run = await opened.remit.run();
  const under = (policy: string) =>
    opened.remit.act("send_email", { to: `${policy}@example.com`, body: "Hello" }, { caller: { ...run, policy } });
  expect(await under("customer_support_tier1_v3")).toMatchObject({ type: "denied", code: "no-grant" });
  expect(await under("mail_v1")).toMatchObject({ type: "waiting", teams: ["support-lead"] });
  expect(await under("mail_v9")).toMatchObject({ type: "denied", code: "policy-missing" });
});

test("[CTL-04][CTL-18] a token with several policies is judged by one of them for each call: a stop counts, whichever else would grant", async () => {
  const wide = { authorization: "Bearer wide" };
  const call = async (name: string, args: JsonObject) =>
    (await postStateless(opened.url, "tools/call", { name, arguments: args }, wide)).json;
  expect(await call("helpdesk__tickets.read", { id: "1" })).toMatchObject({ result: { content: [{ text: "done" }] } });
  expect(await call(mail.name, mail.arguments)).toMatchObject({ result: { _meta: { "remit/outcome": { type: "waiting" } } } });
  const refund = await call("helpdesk__refund.create", { amountCents: 100, currency: "EUR" });
  expect(refund).toMatchObject({ result: { isError: true, _meta: { "remit/outcome": { code: "policy-stop" } } } });
  expect(await call("helpdesk__tickets.draft_reply", { id: "1" })).toMatchObject({
    result: { _meta: { "remit/outcome": { code: "no-grant" } } },
  });
  const { json } = await postStateless(opened.url, "tools/list", {}, wide);
  const listed = (json.result["tools"] as { name: string }[]).map(({ name }) => name);
  expect(listed).toEqual(expect.arrayContaining(["helpdesk__tickets.read", "helpdesk__send_email"]));
  expect(listed).not.toContain("helpdesk__tickets.draft_reply");
});
