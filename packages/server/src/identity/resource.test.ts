import { describe, expect, test } from "vitest";
import { createResource, wwwAuthenticate } from "./resource.ts";

const audience = "https://remit.example/mcp";

describe("wwwAuthenticate", () => {
  test.each([
    [{ type: "no-token" }, `Bearer resource_metadata="https://remit.example/.well-known/oauth-protected-resource/mcp", scope="mcp"`],
    [
      { type: "invalid-token", reason: "The token has expired; get a new one" },
      `Bearer resource_metadata="https://remit.example/.well-known/oauth-protected-resource/mcp", error="invalid_token", error_description="The token has expired; get a new one"`,
    ],
    [
      { type: "insufficient-scope", scopes: ["mcp", "env:staging"], reason: "ask for staging" },
      `Bearer resource_metadata="https://remit.example/.well-known/oauth-protected-resource/mcp", error="insufficient_scope", scope="mcp env:staging", error_description="ask for staging"`,
    ],
  ] as const)("%o", (challenge, expected) => {
    expect(wwwAuthenticate(audience, challenge)).toBe(expected);
  });

  test("nothing breaks out of the header or its quotes", () => {
    const header = wwwAuthenticate(`${audience}/helpdesk`, { type: "invalid-token", reason: 'a"b\\c\r\nset-cookie: x=1\u0000é' });
    expect(header).toContain('error_description="a?b?c??set-cookie: x=1??"');
    expect(header).toContain("oauth-protected-resource/mcp/helpdesk");
  });
});

test.each([
  ["https://remit.example/mcp", true],
  ["https://remit.example/mcp/helpdesk", true],
  ["https://remit.example/mcp/", false],
  ["https://remit.example/mcp/a/b", false],
  ["https://remit.example/mcp/../v1", false],
  ["https://remit.example/mcpx", false],
  ["https://other.example/mcp", false],
  ["", false],
])("is %s the gateway: %s", (resource, expected) => {
  expect(createResource(new URL("https://remit.example")).isGateway(resource)).toBe(expected);
});
