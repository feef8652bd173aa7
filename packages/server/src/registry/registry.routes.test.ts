import type { Person, Plan, Problem } from "@remit/contract";
import { newId } from "../id/new-id.ts";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import { openTestLedger } from "../ledger/ledger.testing.ts";
import { expect, test } from "vitest";
import { validFiles, withText } from "./registry-files.testing.ts";
import { registerRegistryRoutes } from "./registry.routes.ts";
import { helpdeskTools, offer, openRegistry } from "./registry.testing.ts";

const machine = { authorization: "Machine machine-key" };

function person(party: string, roles: Person["roles"]): Person {
  return { party, roles, sessionId: newId("session"), linkedBy: "service:machine" };
}

async function open(test: Awaited<ReturnType<typeof openTestLedger>>) {
  const opened = await openRegistry(test);
  const doorkeeper = testDoorkeeper({ ada: person("ada", ["admin"]), ben: person("ben", ["operator"]), vic: person("vic", ["viewer"]) });
  const app = await createTestApp({ doorkeeper });
  registerRegistryRoutes(app, opened);
  return { ...opened, app };
}

test("[CTL-12][CTL-04] planning and applying need an admin or the machine, accepting an operator, reading a session", async () => {
  await using test = await openTestLedger();
  const { app } = await open(test);
  const status = async (method: "GET" | "POST", url: string, token: string | null, payload?: object) =>
    (await app.inject({ method, url, headers: token === null ? {} : { authorization: `Bearer ${token}` }, ...(payload && { payload }) }))
      .statusCode;
  for (const url of ["/v1/registry/plan", "/v1/registry/apply"]) {
    expect([
      await status("POST", url, null, { files: {} }),
      await status("POST", url, "ben", { files: {} }),
      await status("POST", url, "ada", { files: {} }),
    ]).toEqual([401, 403, 422]);
  }
  const body = { tools: ["helpdesk__send_email"], digests: ["0".repeat(64)] };
  expect([await status("POST", "/v1/tools/accept", "vic", body), await status("POST", "/v1/tools/accept", "ben", body)]).toEqual([
    403, 404,
  ]);
  expect([await status("GET", "/v1/agents", null), await status("GET", "/v1/agents", "vic")]).toEqual([401, 503]);
});

test("[CTL-02][CTL-16][CTL-17] from a plan to what is in force, over HTTP", async () => {
  await using test = await openTestLedger();
  const { app, upstreams } = await open(test);
  const planned = await app.inject({ method: "POST", url: "/v1/registry/plan", headers: machine, payload: { files: validFiles } });
  expect(planned.statusCode).toBe(200);
  const { digest } = planned.json<Plan>();
  const applied = await app.inject({
    method: "POST",
    url: "/v1/registry/apply",
    headers: machine,
    payload: { files: validFiles, plan: digest },
  });
  expect(applied.json()).toMatchObject({ applied: true, revision: 1, plan: { digest } });

  const get = async (url: string) => (await app.inject({ url, headers: { authorization: "Bearer vic" } })).json<Record<string, unknown>>();
  expect(await get("/v1/registry")).toMatchObject({
    revision: 1,
    appliedBy: "service:machine",
    organisation: { guard: "house" },
    counts: { agents: 1, tools: 2 },
  });
  expect(await get("/v1/agents")).toMatchObject({
    items: [{ name: "support-agent", accountable: "ada", tier: 2, suspended: null }],
    next: null,
  });
  expect(await get("/v1/agents/support-agent")).toMatchObject({
    spec: { constraints: { may: ["read tickets"], asks: [], never: [] } },
    closure: { policies: { support: expect.any(String) as string, house: expect.any(String) as string } },
    tools: [
      { tool: "helpdesk__tickets.read", effect: "read", state: "accepted" },
      { tool: "helpdesk__send_email", effect: "write", state: "accepted" },
    ],
  });
  expect(await get("/v1/agents/suport-agent")).toMatchObject({
    code: "not-found",
    detail: 'There is no agent "suport-agent"; did you mean "support-agent"?',
  });
  const first = await get("/v1/tools?limit=1");
  expect(first).toMatchObject({
    items: [{ tool: "helpdesk__send_email", pinDigest: expect.any(String) as string }],
    next: expect.any(String) as string,
  });
  expect(await get("/v1/tools?cursor=made-up")).toMatchObject({ code: "invalid-request" });
  expect(await get(`/v1/tools?limit=1&cursor=${String(first["next"])}`)).toMatchObject({
    items: [{ tool: "helpdesk__tickets.read" }],
    next: null,
  });

  upstreams.offers.set("helpdesk", [...helpdeskTools().slice(0, 1), offer("send_email", "Sends two mails")]);
  const { items } = (await get("/v1/tools/diff")) as { items: { tool: string; offeredDigest: string }[] };
  expect(items.map(({ tool }) => tool)).toEqual(["helpdesk__send_email"]);
  const payload = { tools: ["helpdesk__send_email"], digests: items.map(({ offeredDigest }) => offeredDigest) };
  const accepted = await app.inject({ method: "POST", url: "/v1/tools/accept", headers: { authorization: "Bearer ben" }, payload });
  expect(accepted.statusCode).toBe(200);
  expect(await get("/v1/tools/diff")).toEqual({ items: [], unavailable: [] });
});

test("what is wrong comes back with file, line and pointer", async () => {
  await using test = await openTestLedger();
  const { app } = await open(test);
  const files = withText("agents/support-agent.yaml", "tier: 2", "teir: 2");
  const response = await app.inject({ method: "POST", url: "/v1/registry/apply", headers: machine, payload: { files } });
  expect(response.statusCode).toBe(422);
  expect(response.json<Problem>()).toMatchObject({
    code: "invalid-configuration",
    issues: [
      { file: "agents/support-agent.yaml", line: 1, pointer: "/tier", message: '"tier" is missing' },
      { file: "agents/support-agent.yaml", line: 5, pointer: "/teir", message: 'there is no member "teir" here; did you mean "tier"?' },
    ],
  });
  const large = await app.inject({
    method: "POST",
    url: "/v1/registry/plan",
    headers: machine,
    payload: { files: { "a.md": "x".repeat(7 * 1024 * 1024) } },
  });
  expect(large.json<Problem>().code).toBe("too-large");
});
