import { draftText } from "../registry/draft-documents.ts";
import { stringify } from "yaml";

export type GoldenPath = { organisation: string; trustDomain: string; timeZone: string; person: string; colleague: string };

/**
 * A small registry that is whole: people who answer, a team that is asked, a guard above every policy, and one agent with tools that
 * every machine has, those of a coding agent. Other agents are made by its example.
 */
export function goldenPath(chosen: GoldenPath): Record<string, string> {
  const { organisation, trustDomain, timeZone, person, colleague } = chosen;
  const owner = "platform";
  const tool = (name: string, effect: string, more: Record<string, unknown> = {}) => ({
    spec: {
      kind: "tool" as const,
      upstream: "coding",
      name,
      effect,
      reversibility: effect === "read" ? "reversible" : "none",
      sensitivity: "internal",
      owner,
      ...more,
    },
  });
  return {
    "remit.yaml": stringify({ apiVersion: "remit/v1", organisation: { name: organisation, trustDomain, timeZone, guard: "guard" } }),
    "parties/people.yaml": draftText([
      { spec: { kind: "party", name: person, displayName: person, roles: ["admin", "operator"] } },
      { spec: { kind: "party", name: colleague, displayName: colleague, roles: ["operator"] } },
    ]),
    "teams/teams.yaml": draftText([
      { spec: { kind: "team", name: owner, members: [person, colleague] } },
      {
        comment: "Asked before what cannot be called back. Whoever answers for an agent is never the only one who says yes to it.",
        spec: { kind: "team", name: "approvers", members: [person, colleague], approval: { quorum: 1, expiresAfter: "PT4H" } },
      },
    ]),
    "environments/environments.yaml": draftText([
      { spec: { kind: "environment", name: "dev", type: "dev" } },
      { spec: { kind: "environment", name: "staging", type: "staging" } },
      { spec: { kind: "environment", name: "production", type: "production" } },
    ]),
    "upstreams/coding.yaml": draftText([
      {
        comment: "The tools that coding agents bring themselves: each call asks remit hook before it runs.",
        spec: { kind: "upstream", name: "coding", owner, transport: { type: "hook" } },
      },
    ]),
    "tools/coding.yaml": draftText([
      tool("shell.run", "write"),
      tool("file.read", "read"),
      tool("file.edit", "write", { amount: { pointer: "/linesChanged", unit: "lines" } }),
      tool("web.fetch", "read"),
    ]),
    "agents/coder.yaml": draftText([
      {
        spec: {
          kind: "agent",
          name: "coder",
          purpose: "Changes code in a workspace, with a person in front of it.",
          accountable: person,
          tier: 2,
          roles: ["coder"],
          policies: ["coding"],
          environments: ["dev"],
          tools: ["coding__shell.run", "coding__file.read", "coding__file.edit", "coding__web.fetch"],
          constraints: {
            may: ["Read and change files of its workspace, run commands, fetch pages"],
            asks: ["An approver, before it pushes"],
            never: ["Touch keys and settings", "Change more than 400 lines at once or 2,000 in a day", "Act anywhere but in dev"],
          },
        },
      },
    ]),
    "policies/guard/policy.yaml": stringify({
      kind: "policy",
      name: "guard",
      description: "Holds for every agent, whatever its own policies say.",
      owner,
    }),
    "policies/guard/guard.cedar": guard,
    "policies/coding/policy.yaml": stringify({ kind: "policy", name: "coding", description: "What a coding agent may do.", owner }),
    "policies/coding/coding.cedar": coding,
    "policies/coding/coding.test.yaml": codingCases(),
  };
}

const guard = `@id("guard.production")
@approval("approvers")
@reason("nothing is changed in production unless a person has agreed")
forbid (
  principal,
  action in Remit::Action::"act",
  resource in Remit::EnvironmentType::"production"
)
unless { context.approvals.contains(Remit::Team::"approvers") };
`;

const coding = `// Whatever is not granted is refused.
@id("coding.work")
permit (
  principal in Remit::Role::"coder",
  action in
    [Remit::Action::"coding__shell.run",
     Remit::Action::"coding__file.read",
     Remit::Action::"coding__file.edit",
     Remit::Action::"coding__web.fetch"],
  resource
);

@id("stop.protected")
@reason("keys and settings are for people")
forbid (
  principal,
  action in [Remit::Action::"coding__shell.run", Remit::Action::"coding__file.read", Remit::Action::"coding__file.edit"],
  resource
)
when { context.input.touchesProtected };

@id("stop.large_edit")
@reason("more than 400 lines at once is more than a person reviews")
forbid (principal, action == Remit::Action::"coding__file.edit", resource)
when { context.input.linesChanged > 400 };

@id("gate.push")
@approval("approvers")
@reason("what is pushed is seen by others")
forbid (principal, action == Remit::Action::"coding__shell.run", resource)
when { context.input.commands.contains("git push") }
unless { context.approvals.contains(Remit::Team::"approvers") };

@id("cap.lines_of_the_day")
@obligation("cap")
@params("{\\"counts\\":\\"amount\\",\\"limit\\":2000,\\"per\\":\\"day\\",\\"scope\\":\\"agent\\"}")
permit (principal, action == Remit::Action::"coding__file.edit", resource);
`;

function codingCases(): string {
  const origin = { client: "claude-code", session: "s", workspace: "/work" };
  const reach = { paths: ["/work/a.ts"], protectedPaths: [], touchesProtected: false, outsideWorkspace: false };
  const touching = { paths: ["/work/.env"], protectedPaths: ["/work/.env"], touchesProtected: true, outsideWorkspace: false };
  const shell = (command: string) => ({
    ...origin,
    command,
    understood: true,
    unclear: [],
    programs: [command.split(" ")[0]],
    commands: [command],
    hosts: [],
    writesFiles: false,
    ...reach,
    paths: [],
  });
  const edit = (linesChanged: number) => ({ ...origin, ...reach, linesChanged, change: "…" });
  const one = (name: string, tool: string, input: Record<string, unknown>, expect: Record<string, unknown>, more = {}) => ({
    name,
    agent: "coder",
    tool: `coding__${tool}`,
    ...more,
    input,
    expect,
  });
  const asked = (policy: string) => ({ verdict: "require-approval", approvals: ["approvers"], policies: [policy] });
  const cases = [
    one("a file of the workspace is read", "file.read", { ...origin, ...reach }, { verdict: "allow" }),
    one("another role reads nothing", "file.read", { ...origin, ...reach }, { verdict: "deny", code: "no-grant" }, { roles: [] }),
    one("a page is fetched", "web.fetch", { ...origin, url: "https://example.org/", host: "example.org" }, { verdict: "allow" }),
    one("a key is not", "file.read", { ...origin, ...touching }, { verdict: "deny", policies: ["stop.protected"] }),
    one("a reviewable edit is made, and counted", "file.edit", edit(400), { verdict: "allow", obligations: ["cap"] }),
    one("a large one is not", "file.edit", edit(401), { verdict: "deny", policies: ["stop.large_edit"] }),
    one("a command runs", "shell.run", shell("git status"), { verdict: "allow" }),
    one("a push waits for a person", "shell.run", shell("git push"), asked("gate.push")),
    one("and then it runs", "shell.run", shell("git push"), { verdict: "allow" }, { approvals: ["approvers"] }),
    one("in production it does nothing", "file.edit", edit(1), { verdict: "deny" }, { environment: "production" }),
  ];
  return stringify({ cases }, { aliasDuplicateObjects: false });
}
