import { buildRegistry } from "@remit/core/testing";
import { expect, test } from "vitest";
import { openTestIdentity } from "../identity/identity.testing.ts";
import { registerGateway } from "./gateway.routes.ts";
import { actionId, quietDeps, scriptedPath } from "./gateway.testing.ts";

test("[CTL-05] an agent's own token opens the gateway and every door of it, until it is taken back", async () => {
  await using identity = await openTestIdentity();
  const { path, attempts } = scriptedPath(buildRegistry(), () => ({ actionId, type: "succeeded", result: { content: [] } }));
  registerGateway(identity.app, {
    ...quietDeps(),
    path,
    registry: identity.identity.registry,
    callers: identity.identity.callers,
    publicUrl: identity.identity.publicUrl,
  });
  const token = await identity.token();
  const send = (url: string, authorization?: string) =>
    identity.app.inject({
      method: "POST",
      url,
      headers: authorization === undefined ? {} : { authorization },
      payload: { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "helpdesk__tickets.read", arguments: {} } },
    });

  const stranger = await send("/mcp/helpdesk");
  expect(stranger.statusCode).toBe(401);
  const [, metadata = ""] = /resource_metadata="([^"]+)"/.exec(String(stranger.headers["www-authenticate"])) ?? [];
  const described = await identity.app.inject({ url: new URL(metadata).pathname });
  expect(described.json()).toMatchObject({
    resource: "http://localhost:4680/mcp/helpdesk",
    authorization_servers: ["http://localhost:4680/oidc"],
  });

  for (const url of ["/mcp", "/mcp/helpdesk"]) expect((await send(url, `Bearer ${token}`)).statusCode).toBe(200);
  expect(attempts).toHaveLength(2);

  await identity.identity.revokeAgent("support-agent", "It has done enough");
  const refused = await send("/mcp", `Bearer ${token}`);
  expect([refused.statusCode, refused.headers["www-authenticate"]]).toEqual([401, expect.stringContaining('error="invalid_token"')]);
  expect(attempts).toHaveLength(2);
});
