import { echoManyStdio, echoStdio } from "./child.ts";

/** `cap`: its calls are counted in a budget. `policies`: how many there are in its set. `tool`: which it calls. */
export type GovernedAgent = { name: string; cap: boolean; policies?: number; tool?: "echo__echo" | "many__echo" };

/** A registry with two upstreams, and for each agent a policy set that asks something of every kind: grant, gate, stop, obligation. */
export function registryFiles(agents: readonly GovernedAgent[]): Record<string, string> {
  const many = agents.some(({ tool }) => tool === "many__echo");
  return {
    "remit.yaml": "apiVersion: remit/v1\norganisation: { name: bench, trustDomain: bench.example, timeZone: UTC }\n",
    "parties/people.yaml": ["ada", "ben", "cleo"]
      .map((name) => `kind: party\nname: ${name}\ndisplayName: ${name}\nroles: [admin]\n`)
      .join("---\n"),
    "teams/lead.yaml": "kind: team\nname: lead\nmembers: [ben, cleo]\napproval: { quorum: 1 }\n",
    "environments/staging.yaml": "kind: environment\nname: staging\ntype: staging\n",
    "upstreams/echo.yaml": upstream("echo", echoStdio),
    "tools/echo.yaml": tool("echo", "echo"),
    ...(many ? { "upstreams/many.yaml": upstream("many", echoManyStdio), "tools/many.yaml": manyTools() } : {}),
    ...Object.assign({}, ...agents.map(agentFiles)),
  };
}

function upstream(name: string, program: string): string {
  return `kind: upstream
name: ${name}
owner: ada
transport: { type: stdio, command: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(program)}] }
concurrency: 64
`;
}

function tool(upstreamName: string, name: string): string {
  return `kind: tool
upstream: ${upstreamName}
name: ${name}
effect: read
reversibility: reversible
sensitivity: internal
owner: ada
`;
}

function manyTools(): string {
  return ["echo", ...Array.from({ length: 199 }, (_, index) => `idle-${index + 1}`)].map((name) => tool("many", name)).join("---\n");
}

/** Policies beyond the first five. One in ten is about the tool that is called, so that it is evaluated; the others are about a role that is not the agent's. */
function furtherPolicies(name: string, count: number, tool: string): string {
  return Array.from({ length: count }, (_, index) => {
    const head =
      index % 10 === 0 ? `principal, action == Remit::Action::"${tool}", resource` : 'principal in Remit::Role::"nobody", action, resource';
    return `@id("${name}.more-${index}")\nforbid (${head})\nwhen { context.input.text like "never ${index}*" };\n`;
  }).join("");
}

function agentFiles({ name, cap, policies = 5, tool = "echo__echo" }: GovernedAgent): Record<string, string> {
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
tools: [${tool}]
constraints: { may: [say things back] }
`,
    [`${folder}/policy.yaml`]: `kind: policy\nname: ${name}\ndescription: What the bench may do\nowner: ada\n`,
    [`${folder}/grants.cedar`]: `@id("${name}.grant")
permit (principal in Remit::Role::"caller", action == Remit::Action::"${tool}", resource)
when { context.input.text like "hello*" };
`,
    [`${folder}/gates.cedar`]: `@id("${name}.gate")
@approval("lead")
@reason("somebody should read this first")
forbid (principal, action == Remit::Action::"${tool}", resource)
when { context.input.text like "*loudly*" }
unless { context.approvals.contains(Remit::Team::"lead") };
`,
    [`${folder}/stops.cedar`]: `@id("${name}.stop")
@reason("nothing is said in production on Fridays")
forbid (principal, action, resource in Remit::EnvironmentType::"production")
when { context.facts.weekday == "fri" };
${furtherPolicies(name, policies - 5, tool)}`,
    [`${folder}/obligations.cedar`]: `@id("${name}.redact")
@obligation("redact")
@params("{\\"pointers\\": [\\"/_meta/secret\\"]}")
permit (principal, action == Remit::Action::"${tool}", resource);
${cap ? capPolicy(name, tool) : ""}`,
    [`${folder}/${name}.test.yaml`]: "cases: []\n",
  };
}

/** It counts every call, and is never reached. */
function capPolicy(name: string, tool: string): string {
  return `
@id("${name}.cap")
@obligation("cap")
@params("{\\"counts\\": \\"actions\\", \\"limit\\": 100000000, \\"per\\": \\"day\\", \\"scope\\": \\"agent\\"}")
permit (principal, action == Remit::Action::"${tool}", resource);
`;
}
