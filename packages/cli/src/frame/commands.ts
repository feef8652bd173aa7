import type { DefineCommand } from "./command.ts";

type Entry = { name: string; summary: string; load: () => Promise<DefineCommand> };

/** Every command. Only the one that is called is loaded: starting must stay fast. */
export const commands: readonly Entry[] = [
  { name: "up", summary: "start a server here and serve until Ctrl-C", load: async () => (await import("../up/up.command.ts")).defineUp },
  {
    name: "init",
    summary: "begin a registry: people, a guard, one agent",
    load: async () => (await import("../init/init.command.ts")).defineInit,
  },
  {
    name: "doctor",
    summary: "say what is wrong, and what to do",
    load: async () => (await import("../up/doctor.command.ts")).defineDoctor,
  },
  {
    name: "status",
    summary: "what is running, waiting and halted",
    load: async () => (await import("../up/status.command.ts")).defineStatus,
  },
  { name: "login", summary: "use a one-time link", load: async () => (await import("../identity/login.command.ts")).defineLogin },
  { name: "logout", summary: "end the session", load: async () => (await import("../identity/login.command.ts")).defineLogout },
  { name: "whoami", summary: "who you are to the server", load: async () => (await import("../identity/login.command.ts")).defineWhoami },
  {
    name: "link",
    summary: "make a one-time link for somebody",
    load: async () => (await import("../identity/link.command.ts")).defineLink,
  },
  {
    name: "plan",
    summary: "what applying the files here would change",
    load: async () => (await import("../registry/plan.command.ts")).definePlan,
  },
  { name: "apply", summary: "apply the files here", load: async () => (await import("../registry/plan.command.ts")).defineApply },
  { name: "agents", summary: "agents and their secrets", load: async () => (await import("../registry/agents.command.ts")).defineAgents },
  {
    name: "tools",
    summary: "tools, and what upstreams changed about them",
    load: async () => (await import("../registry/tools.command.ts")).defineTools,
  },
  {
    name: "secret",
    summary: "what upstreams are shown in place of agents",
    load: async () => (await import("../secret/secret.command.ts")).defineSecret,
  },
  {
    name: "connect",
    summary: "let Remit in at an upstream, by your consent",
    load: async () => (await import("../secret/connect.command.ts")).defineConnect,
  },
  {
    name: "upstreams",
    summary: "how the servers and APIs behind Remit are",
    load: async () => (await import("../upstream/upstreams.command.ts")).defineUpstreams,
  },
  {
    name: "openapi",
    summary: "make tools of an HTTP API",
    load: async () => (await import("../openapi/openapi.command.ts")).defineOpenApi,
  },
  {
    name: "policy",
    summary: "lint, test and question policies",
    load: async () => (await import("../policy/policy.command.ts")).definePolicy,
  },
  {
    name: "run",
    summary: "run an agent within its limits (agent-run)",
    load: async () => (await import("../run/run.command.ts")).defineRun,
  },
  {
    name: "wrap",
    summary: "put the MCP servers of a client behind Remit",
    load: async () => (await import("../wrap/wrap.command.ts")).defineWrap,
  },
  {
    name: "mcp",
    summary: "an MCP server on stdin and stdout, for clients that speak nothing else",
    load: async () => (await import("../mcp/mcp.command.ts")).defineMcp,
  },
  {
    name: "hook",
    summary: "decide about a coding agent's built-in tools",
    load: async () => (await import("../hook/hook.command.ts")).defineHook,
  },
  { name: "runs", summary: "what agents have done", load: async () => (await import("../run/runs.command.ts")).defineRuns },
  { name: "queue", summary: "work that waits for agents", load: async () => (await import("../queue/queue.command.ts")).defineQueue },
  {
    name: "approvals",
    summary: "actions that wait for a person",
    load: async () => (await import("../approval/approvals.command.ts")).defineApprovals,
  },
  { name: "halt", summary: "stop agents now, and let them go on", load: async () => (await import("../halt/halt.command.ts")).defineHalt },
  {
    name: "safe-mode",
    summary: "let agents read, and nothing else",
    load: async () => (await import("../halt/halt.command.ts")).defineSafeMode,
  },
  {
    name: "fault",
    summary: "break upstreams on purpose, for a while",
    load: async () => (await import("../fault/fault.command.ts")).defineFault,
  },
  {
    name: "audit",
    summary: "what happened, and the proof of it",
    load: async () => (await import("../audit/audit.command.ts")).defineAudit,
  },
  {
    name: "privacy",
    summary: "what is held about people: show, erase, hold, end in time",
    load: async () => (await import("../privacy/privacy.command.ts")).definePrivacy,
  },
  {
    name: "events",
    summary: "what happens, as it happens",
    load: async () => (await import("../stream/events.command.ts")).defineEvents,
  },
  {
    name: "ledger",
    summary: "the keys that sign the record",
    load: async () => (await import("../ledger/ledger.command.ts")).defineLedger,
  },
  {
    name: "witness",
    summary: "watch somebody else's ledger, and sign that you saw it",
    load: async () => (await import("../witness/witness.command.ts")).defineWitness,
  },
  {
    name: "webhook",
    summary: "send events to other systems",
    load: async () => (await import("../stream/webhook.command.ts")).defineWebhook,
  },
  {
    name: "backup",
    summary: "copy the database to one file",
    load: async () => (await import("../backup/backup.command.ts")).defineBackup,
  },
  {
    name: "restore",
    summary: "restore a backup, and verify its ledger",
    load: async () => (await import("../backup/restore.command.ts")).defineRestore,
  },
  {
    name: "master-key",
    summary: "replace what everything is sealed with",
    load: async () => (await import("../master-key/master-key.command.ts")).defineMasterKey,
  },
  { name: "api", summary: "one request to the server, as it is", load: async () => (await import("../client/api.command.ts")).defineApi },
  {
    name: "completion",
    summary: "completions for your shell",
    load: async () => (await import("../frame/completion.command.ts")).defineCompletion,
  },
];
