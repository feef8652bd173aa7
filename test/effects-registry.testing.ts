/** A registry of one upstream that writes down what it does: what its agents may do, what they are held to, and what waits for a person. */
export function effectsRegistry(options: {
  url: string;
  agents: readonly string[];
  capPerDay: number;
  perMinute: number;
}): Record<string, string> {
  return {
    "remit.yaml": "apiVersion: remit/v1\norganisation: { name: acme, trustDomain: acme.example, timeZone: Europe/Berlin }\n",
    "parties/all.yaml": `kind: party
name: ada
displayName: Ada
roles: [admin, operator, auditor]
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
    "teams/all.yaml": "kind: team\nname: support-lead\nmembers: [ben, cleo]\napproval: { quorum: 1 }\n",
    "environments/all.yaml": "kind: environment\nname: staging\ntype: staging\n",
    "upstreams/all.yaml": `kind: upstream\nname: effects\nowner: ben\ntransport: { type: http, url: "${options.url}" }\n`,
    "tools/all.yaml": [
      tool("pay", "amount: { pointer: /amount, unit: cent }\n"),
      tool("note"),
      tool("mail"),
      tool("hold", "timeoutMs: 120000\n"),
    ].join("---\n"),
    "agents/all.yaml": options.agents.map(agent).join("---\n"),
    "policies/all/policy.yaml": "kind: policy\nname: all\ndescription: Everything that is granted\nowner: ada\n",
    "policies/all/all.cedar": `@id("all")
permit (principal, action, resource);

@id("mail.ask") @approval("support-lead")
forbid (principal, action == Remit::Action::"effects__mail", resource)
unless { context.approvals.contains(Remit::Team::"support-lead") };
`,
    "policies/all/obligations.cedar": `@id("cap.day")
@obligation("cap")
@params("{\\"counts\\": \\"amount\\", \\"limit\\": ${options.capPerDay}, \\"per\\": \\"day\\", \\"scope\\": \\"agent\\"}")
permit (principal, action == Remit::Action::"effects__pay", resource);

@id("cap.minute")
@obligation("cap")
@params("{\\"counts\\": \\"actions\\", \\"limit\\": ${options.perMinute}, \\"per\\": \\"minute\\", \\"scope\\": \\"agent\\"}")
permit (principal, action == Remit::Action::"effects__pay", resource);
`,
  };
}

const tool = (name: string, more = ""): string => `kind: tool
upstream: effects
name: ${name}
effect: write
reversibility: none
sensitivity: internal
owner: ben
${more}`;

const agent = (name: string): string => `kind: agent
name: ${name}
purpose: Does what a test asks of it
accountable: ada
tier: 2
policies: [all]
environments: [staging]
tools: [effects__pay, effects__note, effects__mail, effects__hold]
constraints: {}
`;
