import { resolve } from "node:path";
import { appliedSchema, planSchema } from "@remit/contract";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { collectFiles } from "./collect-files.ts";
import { planWords } from "./plan-words.ts";

export function definePlan(command: Command, run: Run): void {
  command
    .argument("[folder]", "the folder that has remit.yaml", ".")
    .option("--verbose", "also every member of what is added")
    .description("what applying the files here would change, in words")
    .action((folder: string, options: { verbose?: true }) =>
      run(async (frame) => {
        const plan = await readPlan(frame, folder);
        frame.terminal.answer(plan, () => planWords(plan, frame.terminal, options.verbose === true));
        if (plan.changes.length > 0) frame.terminal.say(`next: ${frame.hint(`apply ${folder} --plan ${plan.digest}`)}`);
      }),
    );
  example(command, "remit plan examples/support", "remit plan --json | jq '.changes[].summary'");
}

export function defineApply(command: Command, run: Run): void {
  command
    .argument("[folder]", "the folder that has remit.yaml", ".")
    .option("--verbose", "also every member of what is added")
    .option("--plan <digest>", "apply exactly this plan or nothing")
    .description("show the plan, ask, and apply exactly what was shown")
    .action((folder: string, options: { verbose?: true; plan?: string }) => run((frame) => apply(frame, folder, options)));
  example(command, "remit apply examples/support", "remit apply --yes --json");
}

async function apply(frame: Frame, folder: string, options: { verbose?: true; plan?: string }): Promise<number> {
  const client = await frame.client();
  const files = await collectFiles(resolve(frame.around.cwd, folder));
  const plan = await client.send({ method: "POST", path: "/v1/registry/plan", body: { files }, response: planSchema, timeoutMs: 120_000 });
  if (plan.changes.length > 0 && options.plan === undefined && !frame.terminal.json) {
    for (const line of planWords(plan, frame.terminal, options.verbose === true)) frame.around.stderr.write(`${line}\n`);
  }
  if (plan.changes.length > 0 && options.plan === undefined && !(await frame.confirm("Apply this?"))) {
    frame.terminal.warn("Nothing was applied.");
    return 1;
  }
  const applied = await client.send({
    method: "POST",
    path: "/v1/registry/apply",
    // The plan that was shown, so that nothing else is applied if something changed meanwhile.
    body: { files, plan: options.plan ?? plan.digest },
    response: appliedSchema,
    timeoutMs: 120_000,
  });
  const count = applied.plan.changes.length;
  frame.terminal.answer(applied, () => [
    applied.applied
      ? `Applied ${count} ${count === 1 ? "change" : "changes"}; this is revision ${applied.revision}.`
      : "Nothing to change.",
  ]);
  return 0;
}

async function readPlan(frame: Frame, folder: string) {
  const client = await frame.client();
  const files = await collectFiles(resolve(frame.around.cwd, folder));
  return client.send({ method: "POST", path: "/v1/registry/plan", body: { files }, response: planSchema, timeoutMs: 120_000 });
}
