import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { serveRegistry } from "../up/served.testing.ts";

/** A real server with a registry, in which Ada and Ben are logged in and one agent has credentials. */
export type ServedAgent = {
  folder: string;
  url: string;
  /** What `remit agents secret new --json` printed. */
  credentials: string;
  remit(args: readonly string[], answers?: string): Promise<{ exit: number; out: string; err: string }>;
  stop(): Promise<void>;
};

const always: Record<string, string> = {
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
`,
  "teams/all.yaml": `kind: team
name: maintainers
members: [ada, ben]
approval: {}
`,
  "environments/all.yaml": `kind: environment
name: laptop
type: dev
`,
};

/** `files`: the rest of the registry, with `agent` in it. Whoever calls it stops it. */
export async function serveAgent(agent: string, files: Readonly<Record<string, string>>): Promise<ServedAgent> {
  const served = await serveRegistry({ ...always, ...files });
  const { folder, url } = served;
  const remit = (args: readonly string[], answers?: string) => served.remit(args, answers === undefined ? {} : { answers });

  const applied = await remit(["apply", "registry", "--yes"]);
  expect(applied.err + applied.out).toContain("Applied");
  for (const person of ["ada", "ben"]) await served.logIn(person, person);
  const credentials = join(folder, `${agent}.json`);
  await writeFile(credentials, (await remit(["agents", "secret", "new", agent, "--context", "ada", "--json"])).out, { mode: 0o600 });
  return { folder, url, credentials, remit, stop: () => served.stop() };
}

/** Files of an agent `clerk` that may do nothing yet: for tests of what is around agents. */
export const clerk: Readonly<Record<string, string>> = {
  "agents/clerk.yaml": `kind: agent
name: clerk
purpose: Files things
accountable: ada
tier: 1
policies: [clerk]
environments: [laptop]
tools: []
constraints: {}
`,
  "policies/clerk/policy.yaml": "kind: policy\nname: clerk\ndescription: Nothing yet\nowner: ada\n",
  "policies/clerk/grants.cedar": '@id("grants.none")\npermit (principal, action, resource) when { false };\n',
  "policies/clerk/clerk.test.yaml": "cases: []\n",
};
