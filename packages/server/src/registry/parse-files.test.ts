import { assembleRegistry } from "@remit/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseFiles } from "./parse-files.ts";
import { validFiles, withFiles, withText } from "./registry-files.testing.ts";
import { hashText, isTimeZone } from "./registry-hash.ts";

/** `file:line pointer message` of everything wrong with these files, whether in themselves or with each other. */
function problems(files: Record<string, string>): string[] {
  const parsed = parseFiles(files);
  const result =
    parsed.type === "issues" ? parsed : assembleRegistry(parsed.documents, { pins: new Map(), before: null, hash: hashText, isTimeZone });
  if (result.type !== "issues") return [];
  return result.issues.map(({ file, line, pointer, message }) => `${file ?? ""}:${line ?? ""} ${pointer ?? ""} ${message}`);
}

test("the valid files have nothing wrong with them", () => {
  expect(problems({ ...validFiles })).toEqual([]);
});

const agent = "agents/support-agent.yaml";
const tools = "tools/helpdesk.yaml";

test.each<{ name: string; files: Record<string, string>; says: string[] }>([
  {
    name: "an unknown member, with what was meant",
    files: withText(agent, "purpose:", "purpouse:"),
    says: [
      'agents/support-agent.yaml:1 /purpose "purpose" is missing; it is a string',
      'agents/support-agent.yaml:3 /purpouse there is no member "purpouse" here; did you mean "purpose"?',
    ],
  },
  {
    name: "an unknown member deep in a union",
    files: withText("upstreams/helpdesk.yaml", "  args:", "  arg:"),
    says: ['upstreams/helpdesk.yaml:7 /transport/arg there is no member "arg" here; did you mean "args"?'],
  },
  {
    name: "a wrong type",
    files: withText(agent, "tier: 2", "tier: two"),
    says: ['agents/support-agent.yaml:5 /tier expected 0, 1, 2, 3, found "two"'],
  },
  {
    name: "a tool without effect",
    files: withText(tools, "effect: write\n", ""),
    says: [`${tools}:9 /effect "effect" is missing; it is one of read, propose, write`],
  },
  {
    name: "a word that is nearly one",
    files: withText(tools, "effect: write", "effect: wirte"),
    says: [`${tools}:12 /effect expected read, propose, write, found "wirte"; did you mean "write"?`],
  },
  {
    name: "a wrong transport",
    files: withText("upstreams/helpdesk.yaml", "type: stdio", "type: studio"),
    says: ['upstreams/helpdesk.yaml:5 /transport/type expected stdio, http, openapi, hook, found "studio"; did you mean "stdio"?'],
  },
  {
    name: "a wrong kind",
    files: withText(agent, "kind: agent", "kind: agnet"),
    says: ['agents/support-agent.yaml:1 /kind there is no kind "agnet"; did you mean "agent"?'],
  },
  {
    name: "no kind",
    files: withText(agent, "kind: agent\n", ""),
    says: ["agents/support-agent.yaml:1  say what this is; documents in this folder begin with kind: agent"],
  },
  {
    name: "a kind in the folder of another",
    files: withFiles({ "queues/eve.yaml": "kind: party\nname: eve\ndisplayName: Eve\n" }),
    says: ["queues/eve.yaml:1 /kind party documents belong in parties/; move this one there"],
  },
  {
    name: "the same key twice",
    files: withText(agent, "tier: 2", "tier: 2\ntier: 3"),
    says: ["agents/support-agent.yaml:6  the same key is given twice; remove one"],
  },
  {
    name: "a tab",
    files: withFiles({ "queues/q.yaml": "kind: queue\nname:\n\t- a\n" }),
    says: ["queues/q.yaml:3  a tab is used to indent; use spaces"],
  },
  {
    name: "an alias",
    files: withText(agent, "may: [read tickets]", "may: &x [read tickets]\n  never: *x"),
    says: [
      "agents/support-agent.yaml:13  anchors are not taken; write the value out where it is needed",
      "agents/support-agent.yaml:14  aliases are not taken; write the value out",
    ],
  },
  {
    name: "a tag",
    files: withText(agent, "tier: 2", "tier: !!int 2"),
    says: ["agents/support-agent.yaml:5  the tag tag:yaml.org,2002:int is not taken; write a plain value"],
  },
  {
    name: "not YAML at all",
    files: withFiles({ "queues/q.yaml": "kind: [queue\n" }),
    says: [expect.stringMatching(/^queues\/q\.yaml:\d+ {2}not valid YAML: /) as string],
  },
  { name: "an empty file", files: withFiles({ "queues/q.yaml": "# nothing\n" }), says: ["queues/q.yaml:1  the file holds no document"] },
  {
    name: "a list in place of a document",
    files: withFiles({ "queues/q.yaml": "- a\n" }),
    says: ["queues/q.yaml:1  say what this is; documents in this folder begin with kind: queue"],
  },
  {
    name: "nesting without end",
    files: withFiles({ "queues/q.yaml": `kind: ${"[".repeat(100_000)}` }),
    says: ["queues/q.yaml:1  nested too deeply to be read"],
  },
  {
    name: "a bidirectional control",
    files: withText(agent, "Triages tickets", "Triages \u202etickets"),
    says: ["agents/support-agent.yaml:3  U+202E cannot be seen, so people and models would read different texts; remove it"],
  },
  {
    name: "hidden tags in a prompt",
    files: withFiles({ "agents/support-agent.md": "Hello\n\u{E0041}\u{E0042}" }),
    says: ["agents/support-agent.md:2  U+E0041 cannot be seen, so people and models would read different texts (and 1 more); remove it"],
  },
  {
    name: "not UTF-8",
    files: withFiles({ "agents/support-agent.md": "Hello \uFFFD" }),
    says: ["agents/support-agent.md:1  the file is not valid UTF-8; save it as UTF-8"],
  },
  {
    name: "no remit.yaml",
    files: withFiles({ "remit.yaml": null }),
    says: ["remit.yaml:  there is no remit.yaml at the root; add one with apiVersion: remit/v1 and the organisation"],
  },
  {
    name: "a path that leads out",
    files: withFiles({ "agents/../../etc/x.yaml": "a" }),
    says: ["agents/../../etc/x.yaml:  a file has a path with an empty part, . or ..; give paths from the root of the registry"],
  },
  {
    name: "an absolute path",
    files: withFiles({ "/etc/x.yaml": "a" }),
    says: ["/etc/x.yaml:  a file has an absolute path; give paths from the root of the registry"],
  },
  {
    name: "a backslash",
    files: withFiles({ "agents\\x.yaml": "a" }),
    says: ["agents\\\\x.yaml:  a file has a backslash in its path; separate folders with /"],
  },
  {
    name: "NUL in a path",
    files: withFiles({ "agents/\0.yaml": "a" }),
    says: ["agents/\\u0000.yaml:  a file has a path with characters that cannot be seen"],
  },
  {
    name: "policies without a set",
    files: withFiles({ "policies/stray/x.cedar": "permit (principal, action, resource);" }),
    says: ["policies/stray/x.cedar:  there is no policies/stray/policy.yaml, so these policies belong to no set; add it"],
  },
  {
    name: "a set under another's folder",
    files: withText("policies/support/policy.yaml", "name: support", "name: other"),
    says: ['policies/support/policy.yaml:2 /name the policy set in policies/support/ must be named "support"'],
  },
  {
    name: "something else among policies",
    files: withFiles({ "policies/support/grants.ceder": "permit (principal, action, resource);" }),
    says: [
      "policies/support/grants.ceder:  a policy set holds policy.yaml, .cedar files and .test.yaml files; rename this file or move it elsewhere",
    ],
  },
  {
    name: "a time zone that is none",
    files: withText("remit.yaml", "Europe/Berlin", "Europe/Berln"),
    says: ['remit.yaml:5 /organisation/timeZone "Europe/Berln" is not a time zone; write an IANA name such as Europe/Berlin'],
  },
  {
    name: "a reference to nothing",
    files: withText(agent, "policies: [support]", "policies: [suport]"),
    says: ['agents/support-agent.yaml:6 /policies/0 there is no policy "suport"; did you mean "support"?'],
  },
  {
    name: "a tool that is not registered",
    files: withText(agent, "- helpdesk__send_email", "- helpdesk__send_mail"),
    says: ['agents/support-agent.yaml:10 /tools/1 there is no tool "helpdesk__send_mail"; did you mean "helpdesk__send_email"?'],
  },
  {
    name: "a prompt that is not there",
    files: withFiles({ "agents/support-agent.md": null }),
    says: ['agents/support-agent.yaml:11 /promptFile there is no file "agents/support-agent.md"; paths start at the root of the registry'],
  },
  {
    name: "the same name twice",
    files: withFiles({ "queues/more.yaml": "kind: queue\nname: billing\nowner: ben\n" }),
    says: ['queues/more.yaml:2 /name there is already a queue "billing" (queues/billing.yaml:2); rename or remove one of them'],
  },
  {
    name: "a team with a person's name",
    files: withFiles({ "teams/ada.yaml": "kind: team\nname: ada\nmembers: [ben]\n" }),
    says: [
      'teams/ada.yaml:2 /name there is already a party "ada" (parties/people.yaml:2); parties, teams and agents share their names, so that an owner is never ambiguous',
    ],
  },
])("[CTL-12] says where and what to do: $name", ({ files, says }) => {
  expect(problems(files)).toEqual(says);
});

test.each<{ name: string; files: Record<string, string>; says: string[] }>([
  {
    name: "an agent that nobody answers for [CTL-03]",
    files: withText(agent, "accountable: ada\n", ""),
    says: [`${agent}:1 /accountable "accountable" is missing; it is a string`],
  },
  {
    name: "two who answer for an agent [CTL-03]",
    files: withText(agent, "accountable: ada", "accountable: [ada, ben]"),
    says: [`${agent}:4 /accountable expected string, found a list`],
  },
  {
    name: "a service that answers for an agent [GOV-21]",
    files: withText(
      "parties/people.yaml",
      "displayName: Ada Admin",
      "displayName: Ada Bot\ntype: service",
      withText("tools/helpdesk.yaml", "owner: ben", "owner: ben"),
    ),
    says: [
      "agents/support-agent.yaml:4 /accountable ada is a service, not a human; who answers for an agent must be an active human",
      "workflows/triage.yaml:3 /accountable ada is a service, not a human; who answers for a workflow must be an active human",
      "workflows/triage.yaml:13 /responsibilities/intent ada is a service, not a human; who owns the intent of a workflow must be an active human",
      "workflows/triage.yaml:13 /responsibilities/constraints ada is a service, not a human; who owns the constraints of a workflow must be an active human",
      "policies/house/policy.yaml:4 /owner ada is a service, not a human; the owner of a policy must be an active human",
      "policies/support/policy.yaml:4 /owner ada is a service, not a human; the owner of a policy must be an active human",
    ],
  },
  {
    name: "an agent that answers for an agent [GOV-21]",
    files: withText(agent, "accountable: ada", "accountable: support-agent"),
    says: [`${agent}:4 /accountable "support-agent" is an agent; this must be a party`],
  },
  {
    name: "a team that answers for a workflow [GOV-20]",
    files: withText("workflows/triage.yaml", "accountable: ada", "accountable: support-lead"),
    says: ['workflows/triage.yaml:3 /accountable "support-lead" is a team; this must be a party'],
  },
  {
    name: "a workflow that nobody answers for [GOV-20]",
    files: withText("workflows/triage.yaml", "accountable: ada\n", ""),
    says: ['workflows/triage.yaml:1 /accountable "accountable" is missing; it is a string'],
  },
  {
    name: "an agent that owns the intent [CTL-32]",
    files: withText("workflows/triage.yaml", "intent: ada", "intent: support-agent"),
    says: ['workflows/triage.yaml:13 /responsibilities/intent "support-agent" is an agent; this must be a party or team'],
  },
  {
    name: "a person who is to execute [CTL-31]",
    files: withText("workflows/triage.yaml", "execution: support-agent", "execution: ben"),
    says: ['workflows/triage.yaml:13 /responsibilities/execution "ben" is a party; this must be an agent'],
  },
  {
    name: "somebody new who is not active [CTL-03]",
    files: withText(
      "parties/people.yaml",
      "displayName: Ben Support",
      "displayName: Ben Support\nactive: false",
      withText(
        agent,
        "accountable: ada",
        "accountable: ben",
        withFiles({
          "tools/helpdesk.yaml": validFiles["tools/helpdesk.yaml"]?.replaceAll("owner: ben", "owner: ada") ?? null,
          "upstreams/helpdesk.yaml": validFiles["upstreams/helpdesk.yaml"]?.replace("owner: ben", "owner: ada") ?? null,
          "queues/billing.yaml": "kind: queue\nname: billing\nowner: ada\n",
        }),
      ),
    ),
    says: [`${agent}:4 /accountable ben is not active; who answers for an agent must be an active human`],
  },
  {
    name: "an agent without policy [CTL-12]",
    files: withText(agent, "policies: [support]", "policies: []"),
    says: [expect.stringContaining(`${agent}:6 /policies Too small`) as string],
  },
  {
    name: "no policy set [CTL-12]",
    files: withFiles({
      ...Object.fromEntries(
        Object.keys(validFiles)
          .filter((path) => /^(policies|agents|workflows)/.test(path))
          .map((path) => [path, null]),
      ),
      "remit.yaml": validFiles["remit.yaml"]?.replace("  guard: house\n", "") ?? null,
    }),
    says: [
      "remit.yaml:1  there is no policy set, so nothing would be governed; add policies/<name>/policy.yaml with a .cedar file beside it",
    ],
  },
  {
    name: "a policy set without policies [CTL-12]",
    files: withFiles({ "policies/support/grants.cedar": " \n" }),
    says: [
      'policies/support/policy.yaml:1  the policy set "support" has no policies; put a .cedar file beside policies/support/policy.yaml',
    ],
  },
  {
    name: "an agent without constraints [CTL-16]",
    files: withText(agent, "constraints:\n  may: [read tickets]\n", ""),
    says: [`${agent}:1 /constraints "constraints" is missing`],
  },
  {
    name: "approvers who cannot be asked",
    files: withText("teams/support-lead.yaml", "approval:\n  quorum: 1\n", "", withText(agent, "tier: 2", "tier: 1")),
    says: [
      'workflows/triage.yaml:8 /approvers the team "support-lead" cannot be asked for approvals; give it an approval block in teams/support-lead.yaml',
    ],
  },
  {
    name: "escalation in a circle [RUN-09]",
    files: withFiles({
      "teams/support-lead.yaml": "kind: team\nname: support-lead\nmembers: [ben]\napproval: { escalateTo: finance, escalateAfter: PT1H }\n",
      "teams/finance.yaml": "kind: team\nname: finance\nmembers: [cleo]\napproval:\n  escalateTo: support-lead\n  escalateAfter: PT1H\n",
    }),
    says: [
      'teams/finance.yaml:5 /approval/escalateTo the escalation of "finance" goes in a circle: finance → support-lead → finance',
      'teams/support-lead.yaml:4 /approval/escalateTo the escalation of "support-lead" goes in a circle: support-lead → finance → support-lead',
    ],
  },
  {
    name: "escalation without a time",
    files: withText("teams/support-lead.yaml", "quorum: 1", "quorum: 1\n  escalateTo: support-lead"),
    says: [
      'teams/support-lead.yaml:6 /approval/escalateTo "support-lead" escalates to "support-lead", but never: say when with escalateAfter',
    ],
  },
  {
    name: "a gate that asks only who answers for the agent",
    files: withFiles({
      "teams/owners.yaml": "kind: team\nname: owners\nmembers: [ada]\napproval: {}\n",
      "policies/support/gates.cedar": '@id("gate.owner") @approval("owners")\nforbid (principal, action, resource);\n',
    }),
    says: [
      'agents/support-agent.yaml:4 /accountable nobody in "owners" could approve but ada, who answers for support-agent and may not be the only one to say yes; add another active member',
    ],
  },
  {
    name: "nobody to ask but who answers for the agent",
    files: withText("teams/support-lead.yaml", "[ben, cleo]", "[ada]"),
    says: [
      'workflows/triage.yaml:8 /approvers nobody in "support-lead" could approve but ada, who answers for support-agent and may not be the only one to say yes; add another active member',
    ],
  },
  {
    name: "a quorum that cannot be reached",
    files: withText("teams/support-lead.yaml", "quorum: 1", "quorum: 3"),
    says: [expect.stringContaining('"support-lead" needs 3 active people') as string],
  },
])("[CTL-03][CTL-16][CTL-31][CTL-32][GOV-20][GOV-21] refuses what would be ungoverned: $name", ({ files, says }) => {
  expect(problems(files)).toEqual(says);
});

test("[ORG-21] nothing may write before there is somebody to ask", () => {
  const files = withText("teams/support-lead.yaml", "approval:\n  quorum: 1\n", "");
  expect(problems(files)).toContainEqual(
    expect.stringMatching(
      /^agents\/support-agent\.yaml:5 \/tier tier 2 lets support-agent use helpdesk__send_email, and there is no team to ask/,
    ),
  );
});

test("a misspelt member is named even where the document says too little else", () => {
  expect(problems(withText(agent, "tier: 2", "teir: 2"))).toContain(
    `${agent}:5 /teir there is no member "teir" here; did you mean "tier"?`,
  );
});

test("too many files, too large files", () => {
  const many = Object.fromEntries(Array.from({ length: 2_001 }, (_, index) => [`queues/${index}.yaml`, ""]));
  expect(problems(many)).toEqual([":  there are 2001 files, and at most 2000 are taken; send only those of the registry"]);
  expect(problems(withFiles({ "agents/long.md": "x".repeat(1024 * 1024 + 1) }))).toEqual([
    "agents/long.md:  the file has 1048577 bytes, and at most 1048576 are taken",
  ]);
  expect(problems(withFiles({ "queues/long.yaml": "#".repeat(256 * 1024 + 1) }))).toEqual([
    "queues/long.yaml:  the file has 262145 bytes, and at most 262144 are taken",
  ]);
  const large = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`agents/${index}.md`, "x".repeat(1024 * 1024)]));
  expect(problems(large)).toEqual([":  the files have 6291456 bytes together, and at most 5242880 are taken"]);
});

test("files outside the registry's folders are left alone, and a folder that is nearly one is pointed out", () => {
  const parsed = parseFiles(
    withFiles({ "README.md": "hello", "src/agent.ts": "code", "agent/x.yaml": "kind: agent", "agents/package.json": "{}" }),
  );
  expect(parsed).toMatchObject({
    type: "documents",
    warnings: [
      { file: "agent/x.yaml", message: 'agent/x.yaml is no part of the registry: agent/ is none of its folders; did you mean "agents"?' },
      { file: "agents/package.json", message: "agents/package.json is not read: agents/ holds .yaml documents and .md or .txt texts" },
    ],
  });
});

test("[DLV-11] order, comments, white space and stated defaults make no other version; a changed value does", () => {
  const digest = (files: Record<string, string>) => {
    const parsed = parseFiles(files);
    if (parsed.type === "issues") throw new Error(JSON.stringify(parsed.issues));
    const assembled = assembleRegistry(parsed.documents, { pins: new Map(), before: null, hash: hashText, isTimeZone });
    return assembled.type === "registry" ? assembled.registry.digest : assembled;
  };
  const same = withFiles({
    "queues/billing.yaml": null,
    "queues/all.yaml": "# ours\n---\nowner:   'ben'\nmaxDepth: 1000\nname: billing # the only one\nkind: queue\n---\n",
  });
  expect(digest(same)).toBe(digest({ ...validFiles }));
  expect(digest(withText("queues/billing.yaml", "owner: ben", "owner: cleo"))).not.toBe(digest({ ...validFiles }));
});

test("[CTL-12] thousands of members, keys and references are read or refused in a time that does not grow out of hand", () => {
  const members = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join("\n");
  expect(problems(withFiles({ "queues/q.yaml": `kind: queue\n${members}` })).length).toBe(20);
});

test("reading never throws, whatever the text", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "kind: ",
      "\n",
      "- ",
      "{",
      "}",
      "[",
      "]",
      "&a ",
      "*a",
      "? ",
      "!!x ",
      "---\n",
      "'",
      '"',
      "|",
      "\t",
      "name",
      ": ",
      "__proto__",
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      parseFiles({ "remit.yaml": pieces.join(""), "agents/a.yaml": pieces.join("") });
    }),
    { numRuns: 300 },
  );
});
