import type { Caller, HaltScope } from "@remit/contract";
import { expect, test } from "vitest";
import { type RegistryOverrides, buildRegistry } from "../registry/registry.testing.ts";
import { type Denial, standing } from "./standing.ts";

const base = buildRegistry();
const agent = [...base.agents.values()][0];
const tool = [...base.tools.values()].find(({ qualifiedName }) => agent?.spec.tools.includes(qualifiedName));
if (agent === undefined || tool === undefined) throw new Error("the default registry has an agent with a tool");

const caller: Caller = {
  agent: agent.spec.name,
  version: agent.version,
  accountable: agent.spec.accountable,
  environment: agent.spec.environments[0] ?? "",
  policy: agent.spec.policies[0] ?? "",
  run: null,
  tokenId: "tok",
  expiresAt: 0,
};

test("an agent that is in force has standing for a tool that it is granted", () => {
  expect(standing(base, [], caller, tool.qualifiedName)).toMatchObject({ type: "stands" });
});

type Row = { name: string; registry?: RegistryOverrides; caller?: Partial<Caller>; tool?: string; halt?: HaltScope; code: Denial["code"] };
const named = { name: agent.spec.name };
test.each<Row>([
  { name: "[CTL-02] an agent that nobody registered", caller: { agent: "ghost" }, code: "unknown-agent" },
  {
    name: "[CTL-03] a suspended agent",
    registry: { agents: [{ ...named, suspended: { code: "no-accountable-human", reason: "ada has left" } }] },
    code: "no-accountable-human",
  },
  { name: "[CTL-14] a token of another version", caller: { version: "f".repeat(64) }, code: "token-revoked" },
  { name: "[CTL-25] an environment that is not granted", caller: { environment: "elsewhere" }, code: "environment-not-granted" },
  { name: "[CTL-14] a policy that is not granted", caller: { policy: "lenient" }, code: "policy-missing" },
  { name: "[CTL-17] a tool that is not registered", tool: "helpdesk__format_disk", code: "unknown-tool" },
  { name: "[CTL-04] a tool that is not granted", registry: { agents: [{ ...named, tools: [] }] }, code: "tool-not-granted" },
  {
    name: "[CTL-17] a tool that has changed since it was accepted",
    registry: { tools: [{ name: tool.spec.name, state: "changed" }] },
    code: "tool-changed",
  },
  {
    name: "[CTL-17] a tool that the upstream does not offer",
    registry: { tools: [{ name: tool.spec.name, state: "missing", pin: null }] },
    code: "tool-changed",
  },
  { name: "[SAF-01] a halt", halt: { type: "everything" }, code: "halted" },
])("$name is denied with $code", (row) => {
  const halts = row.halt === undefined ? [] : [{ id: "h", mode: "halt" as const, scope: row.halt, reason: "drill" }];
  const decided = standing(buildRegistry(row.registry), halts, { ...caller, ...row.caller }, row.tool ?? tool.qualifiedName);
  expect(decided).toMatchObject({ type: "deny", code: row.code });
  expect((decided as Denial).reason).not.toBe("");
});
