import { expect, test } from "vitest";
import { draftFiles, secretsOf } from "./registry-drafts.ts";

test("[CTL-34][CTL-07] a key in a server's address goes to the secrets, and stands in no file", () => {
  const url = "https://docs.example/mcp?api_key=canary-value-17&lang=en";
  const server = { name: "docs", project: null, transport: { type: "http" as const, url, headers: { "X-Team": "canary-value-18" } } };
  const secrets = secretsOf("docs", server);
  expect(secrets.map(({ path, use, value }) => [path, use.type, value])).toEqual([
    ["docs/x-team", "header", "canary-value-18"],
    ["docs/api-key", "query", "canary-value-17"],
  ]);
  const files = draftFiles({ server, upstream: "docs", tools: [], unnameable: [], confirmed: true, secrets }, "ada");
  expect(JSON.stringify(files)).not.toContain("canary");
  expect(files["upstreams/docs.yaml"]).toContain("url: https://docs.example/mcp?lang=en\n");
  expect(files["credentials/docs.yaml"]).toContain("type: query\n  name: api_key\n");
});
