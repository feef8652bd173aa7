/** N: an engine of ours. I: we speak the protocol of an existing engine. R: a registered form without an engine. */
export type Level = "N" | "I" | "R";

export interface Requirement {
  id: string;
  capability: string;
  promise: string;
  level: Level;
  /** Why no test proves it yet. What stands here is not promised to users. */
  notYet?: string;
}

/** What this release promises. A test cites what it proves as `[CTL-13]` in its title. */
export const requirements: readonly Requirement[] = [
  {
    id: "CTL-01",
    capability: "Thin control plane on every action",
    promise: "Every tool call goes through one path that decides, asks, executes and records, and nothing executes beside it.",
    level: "N",
  },
  {
    id: "CTL-02",
    capability: "Agent identity (service account)",
    promise: "Every agent has an identity of its own, in versions, with credentials that can be taken away from it alone.",
    level: "N",
  },
  {
    id: "CTL-03",
    capability: "Every action attributable to an owner",
    promise: "Every agent answers to exactly one active person; when that person leaves, the agent stops within a second.",
    level: "N",
  },
  {
    id: "CTL-04",
    capability: "Least privilege, scoped tokens",
    promise: "A token reaches one audience with what its agent needs there, and never more than that agent has.",
    level: "N",
  },
  {
    id: "CTL-05",
    capability: "Short-lived credentials",
    promise: "An agent's token lives five minutes at most, and ends earlier when its run, its secret or its owner does.",
    level: "N",
  },
  {
    id: "CTL-06",
    capability: "Routine secrets rotation",
    promise:
      "A secret is rotated without a gap: what begins gets the new version, what is under way goes on with the old one, which is destroyed when its overlap is over. The master key is replaced as a whole: afterwards the one before opens nothing.",
    level: "N",
  },
  {
    id: "CTL-07",
    capability: "Secrets management, broker",
    promise:
      "Upstream secrets are kept sealed, or made for one lease; Remit shows them to upstreams alone, agents never hold them, no file holds them, and the end of a run or a halt takes them away.",
    level: "N",
  },
  {
    id: "CTL-08",
    capability: "Permission tiers 0-3",
    promise: "A tier is a ceiling above all policy: what an agent's tier does not reach, no policy and no approval gives it.",
    level: "N",
  },
  {
    id: "CTL-12",
    capability: "Policy-as-code",
    promise: "Policies are files in git that are checked, tested, planned and applied whole, and say where they are wrong.",
    level: "N",
  },
  {
    id: "CTL-13",
    capability: "Three outcomes: allow / approve / block",
    promise: "A decision is allow, require-approval or deny, with a code, a reason and the policies that made it so.",
    level: "N",
  },
  {
    id: "CTL-14",
    capability: "Named, versioned policy selected at run time",
    promise: "A run names its policy set, and is judged by that set in the registry that is in force, or not at all.",
    level: "N",
  },
  {
    id: "CTL-15",
    capability: "Verifiable invariants",
    promise: "What must hold for all policies is tested as a law over random ones; tests of policies say what they would not notice.",
    level: "N",
  },
  {
    id: "CTL-16",
    capability: "Explicit constraints written down",
    promise: "What an agent may do, may ask for and may not do is written down, and can be asked of policy before it matters.",
    level: "N",
  },
  {
    id: "CTL-17",
    capability: "Safe tool catalog",
    promise: "A tool is registered with its effect and pinned as it was accepted; one that says something else is blocked.",
    level: "N",
  },
  {
    id: "CTL-18",
    capability: "Safe tool invocation layer with access control",
    promise: "The gateway lists to an agent exactly what it may call or ask for, and refuses everything else in the same words.",
    level: "N",
  },
  {
    id: "CTL-19",
    capability: "Tool-call schema validation",
    promise: "Arguments are checked against the pinned schema; an argument that the schema does not declare is refused.",
    level: "N",
  },
  {
    id: "CTL-20",
    capability: "Sandboxing",
    promise:
      "Upstreams and agents' programs start contained where the machine can, reach what is declared and nothing else, and end with Remit.",
    level: "N",
  },
  {
    id: "CTL-21",
    capability: "Containment",
    promise:
      "An upstream gets only the environment that it declares, within limits of time, size and number, and cannot harm its neighbours.",
    level: "N",
  },
  {
    id: "CTL-22",
    capability: "Segmentation / zero trust",
    promise:
      "An address that somebody else wrote is fetched from the Internet only: never from inside, by no name, redirect or change of its DNS; and what comes back from outside is taken from nobody but whom it was given to.",
    level: "N",
  },
  {
    id: "CTL-23",
    capability: "Service-to-service authentication",
    promise:
      "A client gets a token for a resource that it names, by an agent's secret or a person's consent; Remit itself shows upstreams OAuth tokens, keys or certificates of its own, and passes no token through.",
    level: "N",
  },
  {
    id: "CTL-24",
    capability: "RBAC across agents and orchestration",
    promise: "People act by roles and agents by grants; each route says which it wants, and a lost role counts from the next request.",
    level: "N",
  },
  {
    id: "CTL-25",
    capability: "Allowlists of data sources and destinations",
    promise: "What an agent may read and whom it may write to is what policy lists; all else is refused.",
    level: "N",
  },
  {
    id: "CTL-26",
    capability: "Tiered human approvals",
    promise: "Policy says which team must approve what, how many of it, and never the accountable person alone.",
    level: "N",
  },
  {
    id: "CTL-28",
    capability: "Per-tool approval requirement",
    promise: "A run can demand a person's approval for any tool; the person sees every argument and approves exactly that, once.",
    level: "N",
  },
  {
    id: "CTL-29",
    capability: "Action budget per run",
    promise: "A run has limits on actions and time, counted before an action and never passed, however many ask at once.",
    level: "N",
  },
  {
    id: "CTL-30",
    capability: "Escalation paths",
    promise: "A request that nobody answers goes to the next team, and in the end expires as a refusal.",
    level: "N",
  },
  {
    id: "CTL-31",
    capability: "Agent/human responsibility boundary",
    promise: "A workflow says what people do in it and what an agent does, and cannot be applied with the two exchanged.",
    level: "N",
  },
  {
    id: "CTL-32",
    capability: "Humans intent, agents execution, leaders constraints",
    promise: "A workflow's intent belongs to a person, its execution to an agent, its constraints to whoever sets policy.",
    level: "N",
  },
  {
    id: "CTL-33",
    capability: "Redaction as shared component",
    promise:
      "What a redact obligation points at leaves no tool result, and a secret that an upstream repeats leaves no result, error, log, trace, row or command line.",
    level: "N",
  },
  {
    id: "CTL-34",
    capability: "Paved road / golden paths",
    promise:
      "A registry with people, a guard and a tested agent is begun by one command; a client's MCP servers are put behind Remit by another, secrets and all, and taken back byte for byte.",
    level: "N",
  },
  {
    id: "CTL-35",
    capability: "Shadow-AI containment",
    promise: "MCP servers that clients reach past Remit are found in their configurations.",
    level: "N",
  },
  {
    id: "CTL-36",
    capability: "Formal centre/domain interfaces, policy signals",
    promise: "The organisation's guard holds above every team's own policies, and each decision names the policies that made it.",
    level: "N",
  },
  {
    id: "CTL-37",
    capability: "Checks fail closed",
    promise: "Unknown, stale, late, broken or missing is a refusal, with a reason that a person can act on.",
    level: "N",
  },
  {
    id: "CTL-38",
    capability: "API-first design, gateway composition",
    promise:
      "An HTTP API that OpenAPI describes becomes tools that are governed like any other, from a file or an address, once a person has confirmed what was guessed.",
    level: "N",
  },
  {
    id: "CTL-39",
    capability: "MCP interoperability",
    promise:
      "All of MCP goes between official clients and upstreams of each protocol era; what reads or asks is governed and recorded as a tool call is.",
    level: "N",
  },
  {
    id: "CTL-41",
    capability: "Vendor lock-in mitigated by open standards",
    promise: "Agents, upstreams, identities and records speak open standards: MCP, OAuth, OpenAPI, Cedar, OpenTelemetry, CloudEvents.",
    level: "N",
  },
  {
    id: "RUN-01",
    capability: "agent-run CLI with env, policy, queue, limits",
    promise: "One line starts a governed run with its environment, policy, queue and limits, and ends with an honest summary.",
    level: "N",
  },
  {
    id: "RUN-06",
    capability: "Guardrails as policies and constraints",
    promise: "The rules that people give for an agent's work are policies, and decide each step of it.",
    level: "N",
  },
  {
    id: "RUN-09",
    capability: "Escalation deadlocks",
    promise: "Escalation goes somewhere and never in circles, and no wait outlives its deadline.",
    level: "N",
  },
  {
    id: "RUN-13",
    capability: "Idempotent operations",
    promise: "The same request made twice, or by two at once, happens once, and both get its outcome.",
    level: "N",
  },
  {
    id: "RUN-14",
    capability: "Deterministic retries, explicit retry semantics, timeouts",
    promise:
      "A call is made again only where the tool says that twice is no more than once, for failures that pass, within its deadline; every attempt is recorded.",
    level: "N",
  },
  {
    id: "RUN-15",
    capability: "Backpressure",
    promise: "A full queue, and an upstream with too many calls, refuses with a reason and takes more as soon as work is done.",
    level: "N",
  },
  {
    id: "RUN-16",
    capability: "Event-driven triggers and streams",
    promise:
      "Whatever happens can be followed: in order per run, at least once, with ids to recognise doubles by; and no consumer, however slow or dead, slows an action.",
    level: "N",
  },
  {
    id: "RUN-17",
    capability: "Exactly-once / at-least-once semantics",
    promise:
      "What was approved or keyed happens at most once, whatever is killed and however often it is repeated; what is not known is said to be unknown.",
    level: "N",
  },
  {
    id: "RUN-18",
    capability: "Out-of-order and duplicate handling",
    promise: "Duplicate requests attach to the first; late, double and stray answers of an upstream change nothing.",
    level: "N",
  },
  {
    id: "RUN-19",
    capability: "Circuit breakers and bulkheads",
    promise:
      "An upstream or a tool that hangs, dies or is flooded holds up no other; what keeps failing is not called for a while, and says until when.",
    level: "N",
  },
  {
    id: "RUN-22",
    capability: "Agent-human handoff quality",
    promise: "What an agent hands to a person says what would happen, for whom, why, who may decide and until when.",
    level: "N",
  },
  {
    id: "RUN-23",
    capability: "Reversible-only starters",
    promise: "Every tool says whether what it does can be undone, and policy can hold an agent to what can.",
    level: "N",
  },
  {
    id: "RUN-25",
    capability: "Agent-created PR controls",
    promise:
      "A coding agent's commands are parsed, its edits have a size and a budget of lines, protected paths are for people, and what is unknown is asked.",
    level: "N",
  },
  {
    id: "RUN-27",
    capability: "Queue-addressed work",
    promise: "Work waits in named queues; an item is claimed by one run at a time and comes back when that run is lost.",
    level: "N",
  },
  {
    id: "RUN-28",
    capability: "Frameworks and low-code agents plugged in",
    promise: "Any program in any language becomes a governed agent by being given a URL and a token.",
    level: "I",
  },
  {
    id: "RUN-29",
    capability: "Coordination failure under partitions",
    promise:
      "Servers share one truth: a paused, killed or cut-off one decides and orders nothing more, another takes over within seconds, and no entry, budget or action is lost or doubled.",
    level: "N",
  },
  {
    id: "AUD-01",
    capability: "Every tool call logged with I/O, time, approver",
    promise: "Every attempt and its one outcome are entries in the ledger, with arguments, result, time and approver.",
    level: "N",
  },
  {
    id: "AUD-02",
    capability: "What the agent saw and did",
    promise: "What an agent was given and what it did can be read back in order; what was erased or damaged is said to be.",
    level: "N",
  },
  {
    id: "AUD-03",
    capability: "Which records, policy, tool, follow-on actions",
    promise:
      "The ledger is searched by run, action, agent, tool and time; remit audit accesses finds a record in what was sent and answered, and says which policy let it, by which tool, and what followed.",
    level: "N",
  },
  {
    id: "AUD-04",
    capability: "Reconstruct what and why",
    promise: "One command tells the story of a run or an action from the ledger alone, and one verifies the whole ledger.",
    level: "N",
  },
  {
    id: "AUD-05",
    capability: "Agent-trace links in PRs and tickets",
    promise: "A run or action becomes git trailers: who acted, who answers, who approved, where it is told, under which signed root.",
    level: "N",
  },
  {
    id: "AUD-06",
    capability: "Provenance of decisions",
    promise: "A decision is recorded with the policies, facts and versions that it was made from, and told as W3C PROV to other programs.",
    level: "N",
  },
  {
    id: "AUD-07",
    capability: "Audit of model decisions, transforms, HITL",
    promise: "Questions that upstreams put to models and people, decisions with what they oblige to, and every vote are on the record.",
    level: "N",
  },
  {
    id: "AUD-08",
    capability: "Approval trails",
    promise: "Who was asked, who answered what and on which digest is kept beside the action that followed.",
    level: "N",
  },
  {
    id: "AUD-09",
    capability: "Exception reports",
    promise:
      "remit audit exceptions lists what was out of the ordinary (break-glass, waivers, limits that people raised for themselves, shadow decisions that differ, unknown outcomes), each with its entry, and says which entries it looked at.",
    level: "N",
  },
  {
    id: "AUD-10",
    capability: "Access logs, IAM diffs, token TTL records",
    promise:
      "remit audit permissions says how permissions changed and by whom; remit audit tokens how long tokens lived and when secrets were rotated.",
    level: "N",
  },
  {
    id: "AUD-12",
    capability: "Auditable decision rationale",
    promise: "Every decision keeps the reason that was told, and the policies that determined it.",
    level: "N",
  },
  {
    id: "AUD-13",
    capability: "Audit readiness as recurring output",
    promise:
      "One command writes any contiguous range of the ledger as a bundle that says how complete it is, and a stranger checks it offline.",
    level: "N",
  },
  {
    id: "AUD-14",
    capability: "Verified execution traces",
    promise:
      "Entries stand in a signed Merkle tree that others can watch; verification recomputes all of it, compares it with what they hold, and names the first wrong sequence number.",
    level: "N",
  },
  {
    id: "AUD-16",
    capability: "Scalable project audits",
    promise:
      "remit audit sweep looks at every asset in force with every check that is for its kind, says what to do about each finding, and exits 1 where one should not wait.",
    level: "N",
  },
  {
    id: "OBS-01",
    capability: "End-to-end tracing",
    promise: "An action, its decision, the wait for a person and what follows are one trace.",
    level: "N",
  },
  {
    id: "OBS-02",
    capability: "OTel service tags",
    promise: "Spans carry the agent's own service name by OTLP; a collector that is down slows and breaks nothing.",
    level: "N",
  },
  {
    id: "OBS-03",
    capability: "Metrics + log aggregation",
    promise:
      "Metrics in Prometheus' format; those that count actions are counted from the ledger, and names that anybody may make up are no labels.",
    level: "I",
  },
  {
    id: "OBS-09",
    capability: "Health checks",
    promise: "The server says whether it lives and which of its parts is not ready, and nothing about its inside.",
    level: "N",
  },
  {
    id: "OBS-16",
    capability: "Observability as governance artifact",
    promise:
      "Whether metrics and traces cover every recorded action is itself checked, by kind, and each action that one side lacks is named.",
    level: "N",
  },
  {
    id: "CST-01",
    capability: "Budget alerts",
    promise: "What is spent and reserved of a budget is told beside its limit, and an alert is raised before it is spent.",
    level: "I",
  },
  {
    id: "SAF-01",
    capability: "One-click disable",
    promise: "One command stops everything, or an environment, an agent, a tool, an upstream or a run; release takes two people.",
    level: "N",
  },
  {
    id: "SAF-02",
    capability: "Safe-mode fallback",
    promise: "In safe mode only what reads goes through.",
    level: "N",
  },
  {
    id: "SAF-03",
    capability: "Kill-switch evidence",
    promise:
      "remit audit halts tells every halt and safe mode, in earnest or in a drill, from its command to its end: who, why, how long, what was stopped, and who released it.",
    level: "N",
  },
  {
    id: "SAF-10",
    capability: "Game days",
    promise:
      "Faults are injected into named environments for a while, in production by two people, and every action that met one says so in the ledger.",
    level: "N",
  },
  {
    id: "SAF-11",
    capability: "Chaos testing",
    promise: "An injected fault meets breaker, retries, checks and records as a real one would, on every server.",
    level: "N",
  },
  {
    id: "SAF-21",
    capability: "Failure obvious, bounded, recoverable",
    promise: "What dies, hangs or floods is bounded, is told of, and leaves nothing behind that cannot be recovered.",
    level: "N",
  },
  {
    id: "GOV-20",
    capability: "One DRI per workflow",
    promise: "Every workflow has exactly one person who answers for it.",
    level: "N",
  },
  {
    id: "GOV-21",
    capability: "Accountability stays human",
    promise: "Only a person can answer for an agent; no agent, service or team can.",
    level: "N",
  },
  {
    id: "CST-09",
    capability: "Runaway prevention",
    promise: "An amount or a rate is reserved before a call and stops the next one at the limit, also under concurrency.",
    level: "N",
  },
  {
    id: "DLV-11",
    capability: "Review prompt/tool changes like code changes",
    promise: "Every change of a prompt, tool or policy is another version that is planned, shown and kept on record.",
    level: "N",
  },
  {
    id: "ORG-21",
    capability: "Sequenced build-out",
    promise: "Identity and record come first: nothing that writes can be registered before there is somebody to ask.",
    level: "N",
  },
  {
    id: "DAT-12",
    capability: "Retention",
    promise: "What is kept ends when the schedule of its class and sensitivity says, with evidence; what is under a legal hold does not.",
    level: "N",
  },
  {
    id: "DAT-14",
    capability: "PII handling",
    promise: "Whom a call is about is declared with its tool; what is held about somebody can be shown whole and erased for good.",
    level: "N",
  },
  {
    id: "DAT-17",
    capability: "Privacy-preserving techniques",
    promise: "Data subjects stand in the record under random names alone, and destroying a key leaves every proof standing.",
    level: "N",
  },
];
