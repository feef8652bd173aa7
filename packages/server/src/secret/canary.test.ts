import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { withFiles } from "../registry/registry-files.testing.ts";
import { openCanaryWorld, openHttpParrot, sightings } from "./canary.testing.ts";
import { everyForm } from "./fixtures/every-form.ts";
import { openTestOAuthServer } from "./oauth-server.testing.ts";

const canaries = {
  env: "canary-env-7c1d2f90aa",
  bearer: "canary-bearer-51f0b3c9",
  header: "canary-header-90d2e7f4",
  basic: "canary-basic-3e8a6b1c7",
  query: "canary-query-c4d5a9e21b",
  client: "machine-secret-0123456789",
  rotated: "canary-rotated-e81b27d0",
} as const;
const stdioTools = ["result", "error", "stderr", "notify", "die"];
const httpTools = ["result", "error", "refuse", "garble"];

const credential = (name: string, from: string, use: string): string => `kind: credential
name: ${name}
owner: ada
from: ${from}
use: ${use}
`;
const stored = (name: string, use: string): string => credential(name, `{ type: secret, secret: parrot/${name} }`, use);
const upstream = (name: string, transport: string): string => `kind: upstream
name: p-${name}
owner: ben
credential: ${name}
transport: ${transport}
`;
const tool = (name: string, of: string): string => `kind: tool
upstream: p-${of}
name: ${name}
effect: read
reversibility: reversible
sensitivity: internal
owner: ben
`;

test("the search finds every form that a hostile upstream writes", () => {
  for (const canary of Object.values(canaries))
    for (const form of everyForm(canary)) expect(sightings(canary, [form]), form).toHaveLength(1);
});

test("[CTL-33][CTL-07] a canary given to hostile upstreams in every form is found nowhere: not in answers, logs, traces, errors, rows or command lines", async () => {
  await using parrot = await openHttpParrot();
  await using oauth = await openTestOAuthServer();
  await using world = await openCanaryWorld();
  const http = (name: string): string => `{ type: http, url: "${parrot.url}?of=${name}" }`;
  const program = JSON.stringify(fileURLToPath(new URL("./fixtures/parrot-server.ts", import.meta.url)));
  const forms = ["bearer", "header", "basic", "query"] as const;
  const files = withFiles({
    "credentials/parrots.yaml": [
      stored("env", "{ type: env, name: PARROT_SECRET }"),
      stored("bearer", "{ type: bearer }"),
      stored("header", "{ type: header, name: X-Api-Key }"),
      stored("basic", "{ type: basic, username: remit }"),
      stored("query", "{ type: query, name: key }"),
      credential("oauth", "{ type: oauth-client, client: { id: remit-machine, secret: parrot/client } }", "{ type: bearer }"),
    ].join("---\n"),
    "upstreams/helpdesk.yaml": [
      upstream("env", `{ type: stdio, command: ${JSON.stringify(process.execPath)}, args: [${program}] }`),
      ...forms.map((name) => upstream(name, http(name))),
      upstream("oauth", `{ type: http, url: "${oauth.upstreamUrl}" }`),
    ].join("---\n"),
    "tools/helpdesk.yaml": [
      ...stdioTools.map((name) => tool(name, "env")),
      ...forms.flatMap((of) => httpTools.map((name) => tool(name, of))),
      tool("whoami", "oauth"),
    ].join("---\n"),
    "agents/support-agent.yaml": `kind: agent
name: support-agent
purpose: Asks parrots
accountable: ada
tier: 2
policies: [support]
environments: [staging]
tools: [${[...stdioTools.map((name) => `p-env__${name}`), ...forms.flatMap((of) => httpTools.map((name) => `p-${of}__${name}`)), "p-oauth__whoami"].join(", ")}]
promptFile: agents/support-agent.md
constraints: {}
`,
  });

  for (const [name, value] of Object.entries(canaries)) {
    if (name !== "rotated") expect(await world.ask("/v1/secrets", { path: `parrot/${name}`, value })).toMatchObject({ status: 201 });
  }
  const applied = await world.ask("/v1/registry/apply", { files });
  expect(applied.status, applied.text).toBe(200);
  // A secret in a file is refused, and the refusal does not repeat it.
  const literal = withFiles({
    "upstreams/helpdesk.yaml": upstream("env", `{ type: stdio, command: node, env: { API_TOKEN: ${canaries.env} } }`),
  });
  expect(await world.ask("/v1/registry/plan", { files: literal })).toMatchObject({ status: 422 });

  const ada = await world.person("ada");
  const call = await world.agent(ada);
  await world.untilReady();
  const heard: string[] = [];
  const called = [...stdioTools, ...forms.flatMap(() => httpTools), "whoami"];
  for (const name of stdioTools) heard.push(await call(`p-env__${name}`));
  for (const of of forms) for (const name of httpTools) heard.push(await call(`p-${of}__${name}`));
  heard.push(await call("p-oauth__whoami"));
  // They were shown the real thing, and what they said of it was heard, less the secret.
  for (const name of forms)
    expect(parrot.shown.join(" ")).toContain(name === "basic" ? Buffer.from(`remit:${canaries.basic}`).toString("base64") : canaries[name]);
  // All but those that refuse, garble or die repeat it.
  for (const [index, text] of heard.entries())
    if (!["die", "refuse", "garble"].includes(called[index] ?? "")) expect(text, called[index]).toContain("[redacted]");
  expect(heard.at(-1)).toContain("you came with Bearer [redacted]");

  await world.ask("/v1/secrets/rotate", { path: "parrot/bearer", value: canaries.rotated, overlap: "PT1H" });
  await call("p-bearer__result");
  expect(parrot.shown).toContain(`Bearer ${canaries.rotated}`);
  for (const path of [
    "/v1/secrets",
    "/v1/leases?live=false",
    "/v1/connections",
    "/v1/upstreams",
    "/v1/registry",
    "/v1/tools",
    "/v1/tools/diff",
    "/v1/audit/entries?limit=200",
    "/readyz",
  ]) {
    await world.ask(path, undefined, ada);
  }
  await world.ask("/v1/leases/revoke", { scope: { type: "everything" }, reason: "the end of the test" });
  const commandLines = await world.commandLines();
  await world.stop();

  const tokens = oauth.seen.flatMap((header) => (header === undefined ? [] : [header.replace("Bearer ", "")]));
  expect(tokens.length).toBeGreaterThan(0);
  const rows = await world.rows();
  expect(rows.length).toBeGreaterThan(50);
  expect(world.traces.length).toBeGreaterThan(0);
  expect(world.output.join("")).toContain("[redacted]");
  for (const canary of [...Object.values(canaries), ...new Set(tokens)]) {
    expect(sightings(canary, world.answers), "an answer").toEqual([]);
    expect(sightings(canary, world.output.join("").split("\n")), "the log").toEqual([]);
    expect(sightings(canary, world.traces), "a trace").toEqual([]);
    expect(sightings(canary, rows), "a row").toEqual([]);
    expect(sightings(canary, commandLines), "a command line").toEqual([]);
  }
});
