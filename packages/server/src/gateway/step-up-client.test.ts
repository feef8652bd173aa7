import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { standing } from "@remit/core";
import { buildRegistry } from "@remit/core/testing";
import { expect, test } from "vitest";
import type { ActionPath } from "../action/action-path.ts";
import { withSeveralPolicies } from "../action/several-policies.ts";
import { openTestIdentity, testAudience } from "../identity/identity.testing.ts";
import { registerGateway } from "./gateway.routes.ts";
import { actionId, quietDeps, scriptedPath } from "./gateway.testing.ts";

test("[CTL-04][CTL-39] a client of the official SDK whose token is too narrow steps up once, to a token of the same agent and environment", async () => {
  const registry = buildRegistry({
    policies: [{ name: "mail_v1" }],
    agents: [{ name: "support-agent", policies: ["customer_support_tier1_v3", "mail_v1"] }],
  });
  await using test = await openTestIdentity(registry);
  const callers: { policy: string; environment: string }[] = [];
  const scripted = scriptedPath(registry, () => ({ actionId, type: "succeeded", result: { content: [{ type: "text", text: "sent" }] } }));
  // Mail is granted by one policy, everything else by the other.
  const granted = (policy: string, tool: string): boolean => (policy === "mail_v1") === tool.endsWith("send_email");
  const policed: ActionPath = {
    ...scripted.path,
    act: async (caller, attempt) => {
      callers.push({ policy: caller.policy, environment: caller.environment });
      if (granted(caller.policy, attempt.tool)) return scripted.path.act(caller, attempt);
      return { actionId, type: "denied", code: "no-grant", reason: "No policy grants it.", policies: [] };
    },
  };
  const none = { policies: [], shadow: [] };
  const path = withSeveralPolicies(policed, (caller, tool) => {
    const stand = standing(registry, [], caller, tool);
    if (stand.type === "deny") return null;
    return {
      stand,
      decide: (policy) =>
        granted(policy, tool)
          ? { ...none, type: "allow", obligations: [] }
          : { ...none, type: "deny", code: "no-grant", reason: "No policy grants it." },
    };
  });
  registerGateway(test.app, {
    ...quietDeps(),
    path,
    registry: { current: () => registry },
    callers: test.identity.callers,
    publicUrl: test.identity.publicUrl,
    missing: ({ environment }) => [{ type: "scope", scopes: ["mcp", `env:${environment}`, "policy:mail_v1"] }],
  });
  const address = await test.app.listen({ host: "127.0.0.1", port: 0 });
  const fetchHere = async (url: string | URL, init?: RequestInit) => fetch(String(url).replace("http://localhost:4680", address), init);
  const { clientId, clientSecret } = await test.identity.secrets.issue("support-agent", { expiresInDays: 1, actor: "party:ada" });
  const authProvider = new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer: "http://localhost:4680/oidc" });
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
  await client.connect(new StreamableHTTPClientTransport(new URL(testAudience), { authProvider, fetch: fetchHere }));
  const call = { name: "helpdesk__send_email", arguments: { to: "kim@example.com" } };
  expect(await client.callTool(call)).toMatchObject({ content: [{ text: "sent" }] });
  // With the wider token it goes on with both, and asks for no third.
  expect(await client.callTool({ name: "helpdesk__tickets.read", arguments: { id: "1" } })).toMatchObject({ content: [{ text: "sent" }] });
  expect(await client.callTool(call)).toMatchObject({ content: [{ text: "sent" }] });
  const [own, mail] = ["customer_support_tier1_v3", "mail_v1"].map((policy) => ({ policy, environment: "dev" }));
  expect(callers).toEqual([own, mail, own, mail]);
  const issued = (await test.entries("token-issued")).map(({ data }) => data["scope"]);
  expect(issued).toEqual(["mcp env:dev policy:customer_support_tier1_v3", "mcp env:dev policy:customer_support_tier1_v3 policy:mail_v1"]);
  await client.close();
});
