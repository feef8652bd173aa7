import { fileURLToPath } from "node:url";
import { openHarness } from "./client/harness.ts";
import type { Lost } from "./compare.ts";
import { passed } from "./compare.ts";
import type { Revision } from "./referee.ts";
import { judge, requiredScenarios } from "./referee.ts";
import type { Remit } from "./through/remit.ts";

export type ClientResult = {
  leg: "client";
  revision: Revision;
  required: number;
  passed: number;
  failed: Lost[];
  /** What the referee only warns of, in scenarios that passed. */
  warned: Lost[];
};

const command = fileURLToPath(new URL("./client/command.ts", import.meta.url));

/** The referee is the server, Remit the client, and an agent calls what there is to call. */
export async function judgeClient(remit: Remit, revision: Revision, scenario: string | null = null): Promise<ClientResult> {
  await using harness = await openHarness(remit);
  const subject = { command: `${process.execPath} ${command}`, environment: { REMIT_CONFORMANCE_HARNESS: harness.url } };
  const verdict = await judge(revision, subject, scenario);
  const all = await requiredScenarios(revision, "client");
  const required = scenario === null ? all : all.filter((name) => name === scenario);
  const checksOf = (name: string, sought: string) => (verdict.get(name) ?? []).filter(({ status }) => status === sought);
  const failed = required.filter((name) => !passed(verdict, name));
  return {
    leg: "client",
    revision,
    required: required.length,
    passed: required.length - failed.length,
    failed: failed.map((name) => ({ scenario: name, checks: [...checksOf(name, "FAILURE"), ...problemOf(name)] })),
    warned: required
      .filter((name) => !failed.includes(name) && checksOf(name, "WARNING").length > 0)
      .map((name) => ({ scenario: name, checks: checksOf(name, "WARNING") })),
  };

  function problemOf(name: string): Lost["checks"] {
    const problem = harness.problems.get(name);
    return problem === undefined ? [] : [{ id: "the-agent-said", status: "INFO", description: problem, details: {} }];
  }
}
