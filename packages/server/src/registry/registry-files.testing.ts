/** The files of a small valid registry, and ways to change one thing in them. */
export const validFiles: Readonly<Record<string, string>> = {
  "remit.yaml": `apiVersion: remit/v1
organisation:
  name: acme
  trustDomain: acme.example
  timeZone: Europe/Berlin
  guard: house
`,
  "parties/people.yaml": `kind: party
name: ada
displayName: Ada Admin
roles: [admin]
---
kind: party
name: ben
displayName: Ben Support
---
kind: party
name: cleo
displayName: Cleo Support
`,
  "teams/support-lead.yaml": `kind: team
name: support-lead
members: [ben, cleo]
approval:
  quorum: 1
`,
  "environments/all.yaml": `kind: environment
name: staging
type: staging
---
kind: environment
name: production
type: production
`,
  "upstreams/helpdesk.yaml": `kind: upstream
name: helpdesk
owner: ben
transport:
  type: stdio
  command: node
  args: [helpdesk.ts]
`,
  "tools/helpdesk.yaml": `kind: tool
upstream: helpdesk
name: tickets.read
effect: read
reversibility: reversible
sensitivity: internal
owner: ben
---
kind: tool
upstream: helpdesk
name: send_email
effect: write
reversibility: none
sensitivity: confidential
owner: ben
`,
  "agents/support-agent.yaml": `kind: agent
name: support-agent
purpose: Triages tickets
accountable: ada
tier: 2
policies: [support]
environments: [staging]
tools:
  - helpdesk__tickets.read
  - helpdesk__send_email
promptFile: agents/support-agent.md
constraints:
  may: [read tickets]
`,
  "agents/support-agent.md": "Answer politely.\n",
  "policies/support/policy.yaml": "kind: policy\nname: support\ndescription: First-level support\nowner: ada\n",
  "policies/support/grants.cedar": '@id("grants.all")\npermit (principal, action, resource);\n',
  "policies/support/support.test.yaml": "cases: []\n",
  "policies/house/policy.yaml": "kind: policy\nname: house\ndescription: Holds for all\nowner: ada\n",
  "policies/house/stops.cedar": '@id("stop.none")\nforbid (principal, action, resource) when { false };\n',
  "queues/billing.yaml": "kind: queue\nname: billing\nowner: ben\n",
  "workflows/triage.yaml": `kind: workflow
name: triage
accountable: ada
agent: support-agent
queue: billing
command: [node, agent.ts]
limits: { actions: 10, wallclock: PT5M }
approvers: support-lead
charter:
  done: Every ticket has a draft
  failureModes: [A wrong draft]
  successMetrics: [Drafts accepted]
responsibilities: { intent: ada, execution: support-agent, constraints: ada }
`,
};

/** The valid files with some replaced, added (text) or left out (null). */
export function withFiles(changes: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...validFiles, ...changes }).flatMap(([path, text]) => (text === null ? [] : [[path, text]])));
}

/** The valid files with a text in one of them replaced; fails when it is not there. */
export function withText(
  path: string,
  from: string,
  to: string,
  files: Readonly<Record<string, string>> = validFiles,
): Record<string, string> {
  const text = files[path];
  if (text === undefined || !text.includes(from)) throw new Error(`${path} does not contain ${from}`);
  return { ...files, [path]: text.replace(from, to) };
}
