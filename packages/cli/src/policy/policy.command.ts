import { resolve } from "node:path";
import {
  agentAbilitiesSchema,
  issuesOf,
  policyExplanationSchema,
  policyFindingSchema,
  policyQuestionSchema,
  policyTestReportSchema,
  RemitError,
} from "@remit/contract";
import type { PolicyQuestion } from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { collectFiles } from "../registry/collect-files.ts";
import { abilityWords, explanationWords, findingWords, testWords } from "./policy-words.ts";

const findingsSchema = z.object({ findings: z.array(policyFindingSchema) });

export function definePolicy(command: Command, run: Run): void {
  const lint = command
    .command("lint")
    .argument("[folder]", "the folder that has remit.yaml", ".")
    .description("what is wrong or doubtful about the policies here; exits 1 on an error")
    .action((folder: string) => run((frame) => lintPolicies(frame, folder)));
  example(lint, "remit policy lint examples/support");

  const test = command
    .command("test")
    .argument("[folder]", "the folder that has remit.yaml", ".")
    .description("run the cases beside the policies here, and say which rules no case holds in place")
    .action((folder: string) => run((frame) => testPolicies(frame, folder)));
  example(test, "remit policy test examples/support");

  const explain = command
    .command("explain")
    .description("why a call would be decided as it would, and what would change that")
    .requiredOption("--agent <name>", "who calls")
    .requiredOption("--tool <upstream__tool>", "what")
    .option("--input <json>", "the arguments", "{}")
    .option("--environment <name>", "where (default: the agent's first)")
    .option("--policy <name>", "which policy (default: the agent's first)")
    .option("--queue <name>", "the queue of its run")
    .option("--workflow <name>", "the workflow of its run")
    .option("--facts <json>", 'numbers and the calendar, for example {"weekday":"fri"}', "{}")
    .option("--approved-by <team...>", "teams that have approved it")
    .action((options: ExplainOptions) => run((frame) => explainCall(frame, options)));
  example(
    explain,
    `remit policy explain --agent support-triage --tool helpdesk__refund.create --input '{"amountCents":20000,"currency":"USD"}'`,
  );

  const can = command
    .command("can <agent>")
    .description("what an agent can do, tool by tool, in words")
    .option("--policy <name>", "under which policy (default: the agent's first)")
    .action((agent: string, options: { policy?: string }) => run((frame) => canDo(frame, agent, options)));
  example(can, "remit policy can support-triage");
}

type ExplainOptions = {
  agent: string;
  tool: string;
  input: string;
  environment?: string;
  policy?: string;
  queue?: string;
  workflow?: string;
  facts: string;
  approvedBy?: string[];
};

async function lintPolicies(frame: Frame, folder: string): Promise<number> {
  const answer = await sendFiles(frame, folder, "/v1/policy/lint", findingsSchema);
  frame.terminal.answer(answer, () => findingWords(answer.findings, frame.terminal));
  return answer.findings.some((finding) => finding.severity === "error") ? 1 : 0;
}

async function testPolicies(frame: Frame, folder: string): Promise<number> {
  const report = await sendFiles(frame, folder, "/v1/policy/test", policyTestReportSchema);
  frame.terminal.answer(report, () => testWords(report, frame.terminal));
  return report.failed === 0 ? 0 : 1;
}

/** The server checks the files here: it alone knows what the tools take that policies speak of. */
async function sendFiles<Answer extends z.ZodType>(frame: Frame, folder: string, path: string, response: Answer): Promise<z.infer<Answer>> {
  const files = await collectFiles(resolve(frame.around.cwd, folder));
  const client = await frame.client();
  return client.send({ method: "POST", path, body: { files }, response, timeoutMs: 180_000 });
}

async function explainCall(frame: Frame, options: ExplainOptions): Promise<number> {
  const question = questionOf(options);
  const client = await frame.client();
  const answer = await client.send({ method: "POST", path: "/v1/policy/explain", body: question, response: policyExplanationSchema });
  frame.terminal.answer(answer, () => explanationWords(answer, frame.terminal));
  return { allow: 0, "require-approval": 5, deny: 4 }[answer.verdict];
}

function questionOf(options: ExplainOptions): PolicyQuestion {
  const { agent, tool, environment, policy, queue, workflow, approvedBy } = options;
  const question = policyQuestionSchema.safeParse({
    agent,
    tool,
    ...(environment === undefined ? {} : { environment }),
    ...(policy === undefined ? {} : { policy }),
    ...(queue === undefined ? {} : { queue }),
    ...(workflow === undefined ? {} : { workflow }),
    input: jsonOf(options.input, "--input"),
    facts: jsonOf(options.facts, "--facts"),
    approvals: approvedBy ?? [],
  });
  if (question.success) return question.data;
  throw new RemitError("invalid-request", "That is no question to policy.", { issues: issuesOf(question.error) });
}

function jsonOf(text: string, option: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RemitError("invalid-request", `${option} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function canDo(frame: Frame, agent: string, options: { policy?: string }): Promise<void> {
  const client = await frame.client();
  const body = { agent, ...(options.policy === undefined ? {} : { policy: options.policy }) };
  const answer = await client.send({ method: "POST", path: "/v1/policy/can", body, response: agentAbilitiesSchema });
  frame.terminal.answer(answer, () => abilityWords(answer, frame.terminal));
}
