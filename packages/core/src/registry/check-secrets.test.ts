import { credentialSpecSchema, upstreamSpecSchema } from "@remit/contract";
import type { CredentialSpec, UpstreamSpec } from "@remit/contract";
import { expect, test } from "vitest";
import { checkSecrets } from "./check-secrets.ts";
import { indexDocuments } from "./registry-documents.ts";

const place = { file: "upstreams/up.yaml", line: () => undefined };
const stdio = (more: object): UpstreamSpec["transport"] =>
  upstreamSpecSchema.shape.transport.parse({ type: "stdio", command: "serve", ...more });
const http = (url: string): UpstreamSpec["transport"] => ({ type: "http", url });
const credential = (name: string, use: object, from: object = { type: "secret", secret: "a/b" }): CredentialSpec =>
  credentialSpecSchema.parse({ kind: "credential", name, owner: "ada", from, use });

function issuesOf(transport: UpstreamSpec["transport"], credentials: CredentialSpec[] = []): string[] {
  const spec = upstreamSpecSchema.parse({
    kind: "upstream",
    name: "up",
    owner: "ada",
    transport,
    ...(credentials.length === 0 ? {} : { credential: credentials.map(({ name }) => name) }),
  });
  const documents = [...credentials, spec].map((asset) => ({ spec: asset, place }));
  return checkSecrets(indexDocuments(documents)).map(({ pointer, message }) => `${pointer} ${message}`);
}

test.each([
  ["a variable", stdio({ env: { API_TOKEN: "hunter2hunter2" } }), "/transport/env/API_TOKEN"],
  ["an argument", stdio({ args: ["--api-key=hunter2hunter2"] }), "/transport/args/0"],
  ["the argument after a flag", stdio({ args: ["--token", "hunter2hunter2"] }), "/transport/args/1"],
  ["a header among the arguments", stdio({ args: ["-H", "Authorization: Bearer hunter2hunter2"] }), "/transport/args/1"],
  ["a URL's password", http("https://me:hunter2hunter2@mcp.example/mcp"), "/transport/url"],
  ["a URL's query", http("https://mcp.example/mcp?api_key=hunter2hunter2"), "/transport/url"],
])("[CTL-07] a secret in %s is refused, with the command that keeps it, and is not repeated", (_, transport, pointer) => {
  const [issue, ...more] = issuesOf(transport);
  expect(more).toEqual([]);
  expect(issue).toContain(pointer);
  expect(issue).toContain("remit secret set up/");
  expect(issue).not.toContain("hunter2");
});

test("ordinary settings are let through", () => {
  expect(issuesOf(stdio({ env: { LOG_LEVEL: "debug", TOKEN_FILE: "/run/token" }, args: ["--port", "80", "-y", "@scope/server"] }))).toEqual(
    [],
  );
  expect(issuesOf(http("https://mcp.example/mcp?team=blue"))).toEqual([]);
});

test.each([
  ["a variable for an HTTP upstream", http("https://mcp.example"), [credential("a", { type: "env", name: "A" })]],
  ["a header for a stdio upstream", stdio({}), [credential("a", { type: "bearer" })]],
  ["two in one header", http("https://mcp.example"), [credential("a", { type: "bearer" }), credential("b", { type: "basic" })]],
  ["a person's for one program", stdio({}), [credential("a", { type: "env", name: "A" }, { type: "oauth-user", per: "person" })]],
])("[CTL-07] %s is refused: it would silently not be shown", (_, transport, credentials) => {
  expect(issuesOf(transport, credentials)).toHaveLength(1);
});
