import { echoStdio } from "./child.ts";

export type GovernedAgent = { name: string; cap: boolean };

/** A registry with one tool, and for each agent a policy set that asks something of every kind: grant, gate, stop, obligation. */
export function registryFiles(agents: readonly GovernedAgent[]): Record<string, string> {
  return {
    "remit.yaml": "apiVersion: remit/v1\norganisation: { name: bench, trustDomain: bench.example, timeZone: UTC }\n",
    "parties/people.yaml": ["ada", "ben", "cleo"]
      .map((name) => `kind: party\nname: ${name}\ndisplayName: ${name}\nroles: [admin]\n`)
      .join("---\n"),
    "teams/lead.yaml": "kind: team\nname: lead\nmembers: [ben, cleo]\napproval: { quorum: 1 }\n",
    "environments/staging.yaml": "kind: environment\nname: staging\ntype: staging\n",
    "upstreams/echo.yaml": `kind: upstream
name: echo
owner: ada
transport: { type: stdio, command: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(echoStdio)}] }
concurrency: 64
`,
    "tools/echo.yaml":
      "kind: tool\nupstream: echo\nname: echo\neffect: read\nreversibility: reversible\nsensitivity: internal\nowner: ada\n",
    ...Object.assign({}, ...agents.map(agentFiles)),
  };
}

function agentFiles({ name, cap }: GovernedAgent): Record<string, string> {
  const folder = `policies/${name}`;
  return {
    [`agents/${name}.yaml`]: `kind: agent
name: ${name}
purpose: Says things back
accountable: ada
tier: 2
roles: [caller]
policies: [${name}]
environments: [staging]
tools: [echo__echo]
constraints: { may: [say things back] }
`,
    [`${folder}/policy.yaml`]: `kind: policy\nname: ${name}\ndescription: What the bench may do\nowner: ada\n`,
    [`${folder}/grants.cedar`]: `@id("${name}.grant")
permit (principal in Remit::Role::"caller", action == Remit::Action::"echo__echo", resource)
when { context.input.text like "hello*" };
`,
    [`${folder}/gates.cedar`]: `@id("${name}.gate")
@approval("lead")
@reason("somebody should read this first")
forbid (principal, action == Remit::Action::"echo__echo", resource)
when { context.input.text like "*loudly*" }
unless { context.approvals.contains(Remit::Team::"lead") };
`,
    [`${folder}/stops.cedar`]: `@id("${name}.stop")
@reason("nothing is said in production on Fridays")
forbid (principal, action, resource in Remit::EnvironmentType::"production")
when { context.facts.weekday == "fri" };
`,
    [`${folder}/obligations.cedar`]: `@id("${name}.redact")
@obligation("redact")
@params("{\\"pointers\\": [\\"/_meta/secret\\"]}")
permit (principal, action == Remit::Action::"echo__echo", resource);
${cap ? capPolicy(name) : ""}`,
    [`${folder}/${name}.test.yaml`]: "cases: []\n",
  };
}

/** It counts every call, and is never reached. */
function capPolicy(name: string): string {
  return `
@id("${name}.cap")
@obligation("cap")
@params("{\\"counts\\": \\"actions\\", \\"limit\\": 100000000, \\"per\\": \\"day\\", \\"scope\\": \\"agent\\"}")
permit (principal, action == Remit::Action::"echo__echo", resource);
`;
}
