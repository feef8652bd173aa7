import { operations } from "@remit/contract";

/** What MCP does beside calling tools, which is granted under reserved names. */
export const governedOperations: readonly string[] = operations.map(({ name }) => name);

/** An upstream, and all of its tools that are granted to the agent that has its name. What is judged is the way through, not the policy. */
export type GovernedUpstream = { name: string; url: string; tools: readonly string[]; oauth?: OAuth };

/** That somebody lets Remit in there, as which client. Without one Remit registers itself. */
export type OAuth = { client?: { id: string; secret?: string } };

export function registryFiles(upstreams: readonly GovernedUpstream[]): Record<string, string> {
  return {
    "remit.yaml": "apiVersion: remit/v1\norganisation: { name: conformance, trustDomain: conformance.example, timeZone: UTC }\n",
    "parties/people.yaml": "kind: party\nname: ada\ndisplayName: Ada\nroles: [admin]\n",
    "environments/staging.yaml": "kind: environment\nname: staging\ntype: staging\n",
    "policies/everything/policy.yaml": "kind: policy\nname: everything\ndescription: Everything that is granted\nowner: ada\n",
    "policies/everything/grants.cedar": `@id("everything.grant")\npermit (principal in Remit::Role::"tester", action, resource);\n`,
    "policies/everything/everything.test.yaml": "cases: []\n",
    ...Object.fromEntries(upstreams.flatMap((upstream) => upstreamFiles(upstream))),
  };
}

function upstreamFiles({ name, url, tools, oauth }: GovernedUpstream): [path: string, text: string][] {
  const documents = tools.map(
    (tool) => `kind: tool\nupstream: ${name}\nname: ${tool}\neffect: read\nreversibility: reversible\nsensitivity: internal\nowner: ada\n`,
  );
  const agent = `kind: agent
name: ${name}
purpose: Calls everything
accountable: ada
tier: 2
roles: [tester]
policies: [everything]
environments: [staging]
tools: ${JSON.stringify(tools.map((tool) => `${name}__${tool}`))}
constraints: { may: [call everything] }
`;
  return [
    [`agents/${name}.yaml`, agent],
    [
      `upstreams/${name}.yaml`,
      `kind: upstream\nname: ${name}\nowner: ada\ntransport: { type: http, url: ${JSON.stringify(url)} }\n${oauth === undefined ? "" : `credential: ${name}\n`}`,
    ],
    ...(oauth === undefined ? [] : [[`credentials/${name}.yaml`, credentialFile(name, oauth)] satisfies [string, string]]),
    ...(tools.length === 0 ? [] : [[`tools/${name}.yaml`, documents.join("---\n")] satisfies [string, string]]),
  ];
}

function credentialFile(name: string, oauth: OAuth): string {
  return `kind: credential\nname: ${name}\nowner: ada\nfrom: ${JSON.stringify({ type: "oauth-user", ...oauth })}\nuse: { type: bearer }\n`;
}
