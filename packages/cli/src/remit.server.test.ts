import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Schema } from "./least-value.testing.ts";
import { leastValue } from "./least-value.testing.ts";
import type { Input, Served } from "./up/served.testing.ts";
import { serveRegistry } from "./up/served.testing.ts";

// One server for all: each test goes on from where the one before has left it.
let served: Served;

const registry: Record<string, string> = {
  "remit.yaml": `apiVersion: remit/v1
organisation: { name: acme, trustDomain: acme.example, timeZone: Europe/Berlin }
`,
  "parties/people.yaml": `kind: party
name: ada
displayName: Ada
roles: [admin]
---
kind: party
name: ben
displayName: Ben
roles: [operator]
---
kind: party
name: cleo
displayName: Cleo
`,
  "policies/plain/policy.yaml": `kind: policy
name: plain
description: What agents may do
owner: ada
`,
  "policies/plain/grants.cedar": `@id("read")
permit (principal, action in Remit::Action::"read", resource);
`,
  "environments/all.yaml": `kind: environment
name: staging
type: staging
`,
};

beforeAll(async () => {
  served = await serveRegistry(registry);
});
afterAll(() => served.stop());

const remit = (args: readonly string[], input?: Input) => served.remit(args, input);

test("whoever owns the data folder applies the first registry, and sees before what it would change", async () => {
  const planned = await remit(["plan", "registry"]);
  expect(planned.exit).toBe(0);
  expect(planned.out).toContain("Who may do what\n  + New human ada (Ada), with the role admin.");
  expect(planned.err).toMatch(/next: remit apply registry --plan [0-9a-f]{64}/);
  const unasked = await remit(["apply", "registry"]);
  expect(unasked).toMatchObject({ exit: 2, out: "" });
  expect(unasked.err).toContain("pass --yes");
  expect(await remit(["apply", "registry"], { answers: "n\n" })).toMatchObject({ exit: 1, out: "" });
  const applied = await remit(["apply", "registry"], { answers: "y\n" });
  expect(applied).toMatchObject({ exit: 0, out: expect.stringMatching(/^Applied \d changes; this is revision 1\.\n$/) as string });
  expect(applied.err).toContain("New human ada");
  expect((await remit(["apply", "registry", "--yes"])).out).toBe("Nothing to change.\n");
  expect(await remit(["apply", "registry", "--plan", "0".repeat(64)])).toMatchObject({ exit: 1, out: "" });
});

test("a slip in the files is named with its file and line", async () => {
  await mkdir(join(served.folder, "broken/parties"), { recursive: true });
  await writeFile(join(served.folder, "broken/remit.yaml"), registry["remit.yaml"] ?? "");
  await writeFile(join(served.folder, "broken/parties/people.yaml"), "kind: party\nname: ada\ndisplayname: Ada\n");
  const { exit, err } = await remit(["plan", "broken"]);
  expect(exit).toBe(2);
  expect(err).toContain("parties/people.yaml:3");
});

test("a link logs in once, and each context is its own person", async () => {
  const { out } = await remit(["link", "ada"]);
  expect((await remit(["login", out.trim()])).out).toContain("You are ada at ");
  expect(await remit(["login", out.trim()])).toMatchObject({ exit: 4, out: "" });
  await served.logIn("ben", "ben");
  await served.logIn("cleo", "cleo");
  expect((await remit(["whoami"])).out).toContain("ada at ");
  expect(JSON.parse((await remit(["whoami", "--context", "ben", "--json"])).out)).toMatchObject({ party: "ben", roles: ["operator"] });
  expect(await remit(["link", "nobody"])).toMatchObject({ out: "" });
});

test("[SAF-01][SAF-02] any operator engages a halt or safe mode, and a release takes a second person", async () => {
  expect(await remit(["halt", "on", "--reason", "drill", "--context", "cleo"])).toMatchObject({ exit: 4, out: "" });
  expect((await remit(["safe-mode", "on", "--scope", "environment:staging", "--reason", "drill"])).out).toMatch(
    /^Safe mode for environment:staging: only reads pass, \d+ ms/,
  );
  const status = await remit(["halt", "status"]);
  expect(status.out).toContain("environment:staging");
  expect((await remit(["status"])).exit).toBe(6);
  expect((await remit(["halt", "off", "--reason", "done"])).err).toContain("No halt of everything is in force");
  expect((await remit(["safe-mode", "off", "--scope", "environment:staging", "--reason", "done"])).exit).toBe(5);
  const released = await remit(["safe-mode", "off", "--scope", "environment:staging", "--reason", "done", "--context", "ben"]);
  expect(released).toMatchObject({ exit: 0, out: "Released environment:staging.\n" });
  expect((await remit(["halt", "status"])).out).toBe("Nothing is halted.\n");
  expect((await remit(["halt", "on", "--scope", "planet:x", "--reason", "drill"])).exit).toBe(2);
});

test("lists are data, also when they are empty, and one request can be made as it is", async () => {
  expect((await remit(["approvals", "list"])).out).toBe("Nothing waits.\n");
  expect((await remit(["approvals", "list", "--state", "expired"])).out).toBe("No request is expired.\n");
  expect(JSON.parse((await remit(["approvals", "list", "--json"])).out)).toEqual({ items: [], next: null });
  expect(await remit(["approvals", "show", "apr_1"])).toMatchObject({ exit: 2, out: "" });
  expect(await remit(["approvals", "show", `apr_${"0".repeat(32)}`])).toMatchObject({ exit: 1, out: "" });
  expect(JSON.parse((await remit(["api", "GET", "/v1/registry"])).out)).toMatchObject({ revision: 1, appliedBy: "service:machine" });
  expect((await remit(["api", "GET", "/v1/nothing"])).exit).toBe(1);
});

test("policies here are checked by the server that knows the tools", async () => {
  expect(await remit(["policy", "lint", "registry"])).toMatchObject({ exit: 0 });
  expect(await remit(["policy", "test", "registry"])).toMatchObject({ exit: 0 });
  expect(await remit(["policy", "can", "nobody"])).toMatchObject({ exit: 1, out: "" });
  expect(await remit(["tools", "diff"])).toMatchObject({ exit: 0, out: "Every tool is as it was accepted.\n" });
  expect(await remit(["agents", "list", "--json"])).toMatchObject({ exit: 0 });
});

test("[AUD-04] the ledger is queried and verified from the command line", async () => {
  const halts = await remit(["audit", "query", "--type", "halt-engaged"]);
  expect(halts.out).toMatch(/halt-engaged +party:ada/);
  const verdict = await remit(["audit", "verify"]);
  expect(verdict).toMatchObject({ exit: 0, out: expect.stringContaining("The ledger verifies.") as string });

  // One byte of one row, as somebody who owns the database.
  await served.database.superuser.query(
    `UPDATE ledger_entry SET body = overlay(body placing '\\x31' from length(body) - 10) WHERE type = 'halt-engaged'`,
  );
  const broken = await remit(["audit", "verify", "--json"]);
  expect(broken.exit).toBe(1);
  expect(JSON.parse(broken.out)).toMatchObject({ ok: false, firstWrong: { seq: expect.any(Number) as number } });
  expect((await remit(["audit", "verify"])).out).toMatch(/The ledger does not verify\. First wrong: seq \d+: /);
});

test("after logging out the session is gone here and there", async () => {
  expect((await remit(["logout", "--context", "cleo"])).exit).toBe(0);
  expect(await remit(["whoami", "--context", "cleo"])).toMatchObject({ exit: 4, out: "" });
});

type Operation = {
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content: { "application/json": { schema: Schema } } };
};

/** A link is proof by itself, and keys that verify and Remit's own metadata are for everybody. */
const openOperations = ["post /v1/sessions", "get /v1/audit/keys", "get /connect/client-metadata.json"];

test("[CTL-24] nothing that the API offers is done for somebody who has proven nothing, however well it is asked", async () => {
  const described = (await (await fetch(`${served.url}/openapi.json`)).json()) as { paths: Record<string, Record<string, Operation>> };
  const operations = Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, method, path, operation })),
  );
  expect(operations.length).toBeGreaterThan(90);
  const statuses = await Promise.all(
    operations.map(async ({ name, method, path, operation: { parameters = [], requestBody } }) => {
      const url = new URL(served.url);
      url.pathname = path.replaceAll(/\{(\w+)\}/g, (_, named) =>
        String(leastValue(parameters.find((one) => one.name === named)?.schema ?? {})),
      );
      for (const one of parameters) if (one.in === "query" && one.required) url.searchParams.set(one.name, String(leastValue(one.schema)));
      const body = requestBody === undefined ? null : JSON.stringify(leastValue(requestBody.content["application/json"].schema));
      const headers = body === null ? {} : { "content-type": "application/json" };
      const response = await fetch(url, { method: method.toUpperCase(), headers, body });
      await response.body?.cancel();
      return [name, response.status] as const;
    }),
  );
  expect(statuses.filter(([name, status]) => status !== 401 && !openOperations.includes(name))).toEqual([]);
  expect(operations.map(({ name }) => name)).toEqual(expect.arrayContaining(openOperations));
});
