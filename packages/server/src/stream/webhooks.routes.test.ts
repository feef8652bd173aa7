import { webhookWithSecretSchema } from "@remit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import type { App } from "../http/http-app.ts";
import { testPerson } from "./stream.testing.ts";
import { openTestWebhooks } from "./webhook.testing.ts";
import type { TestWebhooks } from "./webhook.testing.ts";
import { registerWebhookRoutes } from "./webhooks.routes.ts";

let hooks: TestWebhooks;
let app: App;
let id: string;
beforeAll(async () => {
  hooks = await openTestWebhooks();
  app = await createTestApp({
    doorkeeper: testDoorkeeper({
      anna: testPerson("anna", ["auditor"]),
      olga: testPerson("olga", ["operator"]),
      vera: testPerson("vera", ["viewer"]),
    }),
  });
  registerWebhookRoutes(app, hooks);
  id = (await hooks.add("https://example.com/a")).webhook.id;
});
afterAll(async () => {
  await app.close();
  await hooks[Symbol.asyncDispose]();
});

function ask(method: "GET" | "POST" | "DELETE", url: string, session: string, payload?: object) {
  const authorization = session === "machine" ? "Machine machine-key" : `Bearer ${session}`;
  return app.inject({ method, url, headers: { host: "localhost", authorization }, ...(payload === undefined ? {} : { payload }) });
}

test.each<["GET" | "POST" | "DELETE", string, object | undefined]>([
  ["GET", "", undefined],
  ["GET", "/ID", undefined],
  ["GET", "/ID/deliveries", undefined],
  ["GET", "/ID/dead-letters", undefined],
  ["POST", "", { url: "https://example.com/b" }],
  ["POST", "/ID/rotate-secret", {}],
  ["POST", "/ID/pause", { reason: "why" }],
  ["POST", "/ID/resume", {}],
  ["POST", "/ID/replay", { from: 0 }],
  ["POST", "/ID/dead-letters/retry", {}],
  ["POST", "/ID/test", undefined],
  ["DELETE", "/ID", undefined],
])("[CTL-37] %s /v1/webhooks%s is for those whose work it is", async (method, tail, payload) => {
  const url = `/v1/webhooks${tail.replace("ID", id)}`;
  expect((await ask(method, url, "nobody", payload)).statusCode).toBe(401);
  expect((await ask(method, url, "vera", payload)).statusCode).toBe(403);
  expect((await ask(method, url, "anna", payload)).statusCode).toBe(method === "GET" ? 200 : 403);
  if (method === "GET") expect((await ask(method, url, "machine", payload)).statusCode).toBe(200);
});

test("an operator adds an endpoint, whose secret no other answer has", async () => {
  const response = await ask("POST", "/v1/webhooks", "olga", { url: "https://example.com/c", types: ["halt-engaged"] });
  expect(response.statusCode).toBe(201);
  const { secret, webhook } = webhookWithSecretSchema.parse(response.json());
  for (const url of ["/v1/webhooks", `/v1/webhooks/${webhook.id}`]) expect((await ask("GET", url, "olga")).body).not.toContain(secret);
  const [entry] = await hooks.superuser.query<{ body: string }>(
    "SELECT convert_from(body, 'utf8') AS body FROM ledger_entry WHERE type = 'webhook-added' ORDER BY at DESC, id DESC",
  );
  // Paths of endpoints are often secrets.
  expect(JSON.parse(entry?.body ?? "")).toMatchObject({ actor: "party:olga", data: { origin: "https://example.com" } });
  expect(entry?.body).not.toContain("/c");
});

test.each<[object]>([
  [{ url: "file:///etc/passwd" }],
  [{ url: "https://user@example.com/" }],
  [{ url: "https://example.com/#x" }],
  [{ url: "javascript:alert(1)" }],
  [{ url: "https://example.com/", types: [] }],
  [{ url: "https://example.com/", types: ["no-such-type"] }],
  [{ url: "https://example.com/", secret: "whsec_mine" }],
])("%j is not taken", async (payload) => {
  expect((await ask("POST", "/v1/webhooks", "olga", payload)).statusCode).toBe(400);
});

test("lists have pages", async () => {
  const first = (await ask("GET", "/v1/webhooks?limit=1", "anna")).json<{ items: { id: string }[]; next: string }>();
  const second = (await ask("GET", `/v1/webhooks?limit=1&cursor=${first.next}`, "anna")).json<typeof first>();
  expect(second.items[0]?.id).not.toBe(first.items[0]?.id);
});
