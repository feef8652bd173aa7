/*
 * Against a fake of Vault that is written by hand from its documented HTTP API (developer.hashicorp.com/vault/api-docs: kv-v2, approle,
 * sys/leases). No Vault was run.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { openTestCredentials, patient, requestOf, testBy, testCredential, testUpstream } from "./secret.testing.ts";

type Seen = { method: string; path: string; token: string | undefined; namespace: string | undefined; body: Record<string, unknown> };

async function openFakeVault() {
  const seen: Seen[] = [];
  const live = new Set<string>();
  let count = 0;
  let sealed = false;
  const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      const header = (name: string) => request.headers[name] as string | undefined;
      const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
      const asked = {
        method: request.method ?? "",
        path: request.url ?? "",
        token: header("x-vault-token"),
        namespace: header("x-vault-namespace"),
        body,
      };
      seen.push(asked);
      const answer = (status: number, value?: object) =>
        response.writeHead(status, { "content-type": "application/json" }).end(value === undefined ? "" : JSON.stringify(value));
      if (sealed) return answer(503, { errors: ["Vault is sealed"] });
      if (header("x-vault-request") !== "true") return answer(400, { errors: ["missing X-Vault-Request"] });
      if (asked.path === "/v1/auth/approle/login") {
        if (body["role_id"] !== "remit" || body["secret_id"] !== "approle-secret-id")
          return answer(400, { errors: [`invalid secret id ${String(body["secret_id"])}`] });
        return answer(200, { auth: { client_token: "hvs.approle-token", lease_duration: 1_200, renewable: true } });
      }
      if (asked.token !== "hvs.root-token" && asked.token !== "hvs.approle-token") return answer(403, { errors: ["permission denied"] });
      if (asked.path === "/v1/secret/data/crm/prod") {
        const metadata = { version: 4, created_time: "2026-01-01T00:00:00Z", deletion_time: "", destroyed: false };
        return answer(200, { lease_id: "", data: { data: { token: "vault-kept-token", region: "eu" }, metadata } });
      }
      if (asked.path === "/v1/database/creds/reader") {
        count += 1;
        const lease_id = `database/creds/reader/${count}`;
        live.add(lease_id);
        return answer(200, {
          lease_id,
          lease_duration: 600,
          renewable: true,
          data: { username: `v-${count}`, password: `vault-made-password-${count}` },
        });
      }
      if (asked.path === "/v1/sys/leases/renew" && asked.method === "PUT")
        return answer(200, { lease_id: body["lease_id"], lease_duration: body["increment"], renewable: true });
      if (asked.path === "/v1/sys/leases/revoke" && asked.method === "PUT") {
        live.delete(String(body["lease_id"]));
        return answer(204);
      }
      return answer(404, { errors: [] });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    live,
    seal: (on: boolean) => void (sealed = on),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const upstream = testUpstream("crm", "crm-vault");
const token = { type: "token", secret: "vault/token" };
const kv = { type: "kv", path: "crm/prod" };

function credentialAt(address: string, more: object, use: object = { type: "bearer", field: "token" }) {
  return testCredential("crm-vault", { type: "vault", address, auth: token, read: kv, ...more }, use);
}

test("[CTL-07] a secret of KV version 2, with a token and in a namespace", async () => {
  await using vault = await openFakeVault();
  await using test = await openTestCredentials([upstream], [credentialAt(vault.address, { namespace: "team-a" })]);
  await test.secrets.set({ path: "vault/token", value: "hvs.root-token" }, "party:ada");
  const lease = await test.broker.lease(requestOf(upstream), patient());
  expect(lease?.headers).toEqual({ authorization: "Bearer vault-kept-token" });
  expect(vault.seen).toMatchObject([{ method: "GET", path: "/v1/secret/data/crm/prod", token: "hvs.root-token", namespace: "team-a" }]);
});

test("[CTL-05][CTL-07] a dynamic secret, by AppRole: its lease is renewed while it is used and revoked when it ends, also after Vault was away", async () => {
  await using vault = await openFakeVault();
  const auth = { type: "approle", roleId: "remit", secret: "vault/approle" };
  const credential = credentialAt(vault.address, { auth, read: { type: "lease", path: "database/creds/reader" } }, { type: "basic" });
  await using test = await openTestCredentials([upstream], [credential], { lifetimeMs: 1_000 });
  await test.secrets.set({ path: "vault/approle", value: "approle-secret-id" }, "party:ada");
  const lease = await test.broker.lease(requestOf(upstream, null), patient());
  expect(lease?.headers).toEqual({ authorization: `Basic ${Buffer.from("v-1:vault-made-password-1").toString("base64")}` });
  while (!vault.seen.some(({ path }) => path === "/v1/sys/leases/renew")) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(vault.live.size).toBe(1);
  vault.seal(true);
  await lease?.release();
  await test.clock.catchUp();
  expect(vault.live.size).toBe(1);
  vault.seal(false);
  test.later(60_000);
  await test.clock.catchUp();
  expect(vault.live.size).toBe(0);
});

test.each([
  ["a token that Vault does not take", "hvs.wrong-token-value", {}, "credential-unavailable", "HTTP 403"],
  ["a path that is not there", "hvs.root-token", { read: { type: "kv", path: "no/such" } }, "credential-missing", "HTTP 404"],
  [
    "a path that leads elsewhere",
    "hvs.root-token",
    { read: { type: "kv", path: "../../sys/health" } },
    "credential-missing",
    "secret/data/sys/health",
  ],
] as const)("%s is said in words that repeat nothing", async (_, value, more, code, words) => {
  await using vault = await openFakeVault();
  await using test = await openTestCredentials([upstream], [credentialAt(vault.address, more)]);
  await test.secrets.set({ path: "vault/token", value }, "party:ada");
  const error: unknown = await test.broker.lease(requestOf(upstream, testBy()), patient()).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code, message: expect.stringContaining(words) as string });
  expect(String(error)).not.toContain(value);
});
