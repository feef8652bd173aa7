import { RemitError, issuesOf, reachableSchema, startRunSchema } from "@remit/contract";
import type { StartRun } from "@remit/contract";
import type { Command } from "commander";
import { registryDir } from "../context/server-note.ts";
import { chosenDataDir } from "../up/data-dir.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { issueLine } from "../terminal/failure.ts";
import { safeJson, safeLine } from "../terminal/safe-text.ts";
import { drainQueue } from "./drain-queue.ts";
import type { Drained } from "./drain-queue.ts";
import { runOnce } from "./run-once.ts";
import type { RunEvents, RunRequest } from "./run-once.ts";
import { containmentWords } from "./containment-words.ts";
import { actionLine, exitOf, summaryWords, verdictOf } from "./run-summary.ts";

const levels = ["error", "warn", "info", "debug"] as const;
type Level = (typeof levels)[number];

type RunOptions = {
  workflow: string;
  environment?: string;
  policy?: string;
  queue?: string | false;
  maxActions?: string;
  requireHumanApproval: string[];
  logLevel: string;
  drain?: true;
  concurrency: string;
  passEnv: string[];
  sandbox: boolean;
  allowHost: string[];
  registry?: string;
  grace: string;
};

export function defineRun(command: Command, run: Run): void {
  const collect = (value: string, previous: string[]) => [
    ...previous,
    ...value
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  ];
  command
    .description("claim work, run the workflow's agent (or your own, after --) within its limits, and say what came of it")
    .argument("[command...]", "the agent's program, instead of the workflow's")
    .requiredOption("--workflow <name>", "what to do")
    .option("--environment <name>", "where (default: AGENT_ENV)")
    .option("--policy <name>", "which of the agent's policies decides (default: AGENT_POLICY, else the agent's first)")
    .option("--queue <name>", "where the work comes from (default: the workflow's queue)")
    .option("--no-queue", "work on nothing in particular")
    .option("--max-actions <n>", "at most so many actions; never more than the workflow allows")
    .option("--require-human-approval <tool>", "let this tool wait for a person; repeatable, or with commas", collect, [])
    .option("--log-level <level>", levels.join(", "), "info")
    .option("--drain", "go on, with a new run for each item, until the queue is empty")
    .option("--concurrency <n>", "runs at a time, with --drain", "1")
    .option("--pass-env <name>", "pass this variable on to the agent; repeatable, or with commas", collect, [])
    .option("--sandbox", "contain the agent: Remit is its only way out (default, where the machine can)", true)
    .option("--no-sandbox", "do not contain the agent: it can do what you can")
    .option("--allow-host <host[:port]>", "let a contained agent reach this, besides Remit; repeatable, or with commas", collect, [])
    .option("--registry <folder>", "where the workflow's own folder is found (default: as the server here was started)")
    .option("--grace <seconds>", "how long an agent that is stopped may take to end", "5")
    .action((program: string[], options: RunOptions) => run((frame) => runAgent(frame, program, options)));
  command.addHelpText(
    "after",
    `
The agent gets REMIT_MCP_URL, REMIT_TOKEN, REMIT_TOKEN_FILE (always fresh), REMIT_RUN_ID, REMIT_WORK_ITEM (JSON), TRACEPARENT and
OTEL_SERVICE_NAME, the keys of model providers (ANTHROPIC_API_KEY, OPENAI_API_KEY and their _BASE_URL), and little else: see --pass-env.
It is contained: it sees its own project read-only and a scratch folder (HOME, TMPDIR), and reaches Remit, what its workflow declares
under sandbox, and --allow-host; \`remit doctor\` says by what. Its model's host has to be one of these.
With --json, one JSON document per line for each event; the last is the summary.
Exit codes: 0 done, 1 failed or stopped at a limit, 3 try again, 4 everything was refused, 5 something waits for a person, 6 halted.`,
  );
  example(
    command,
    "agent-run --workflow triage --queue billing-tier1 --max-actions 3 --require-human-approval send_email",
    "agent-run --workflow triage --drain --concurrency 2",
    "agent-run --workflow triage -- python my_agent.py",
  );
}

async function runAgent(frame: Frame, program: readonly string[], options: RunOptions): Promise<number> {
  const { around, terminal } = frame;
  const level = levels.find((one) => one === options.logLevel);
  if (level === undefined) throw new RemitError("invalid-request", `--log-level is one of ${levels.join(", ")}.`);
  const interruption = around.interruption();
  const request: RunRequest = {
    client: await frame.client(),
    start: startOf(frame, options),
    env: around.env,
    command: program.length === 0 ? null : program,
    registryDir: await registryDir(around, options.registry),
    cwd: around.cwd,
    passEnv: options.passEnv,
    contained: options.sandbox,
    allowHosts: allowedHosts(options.allowHost),
    dataDir: chosenDataDir(around, undefined),
    logLevel: level,
    graceMs: count(options.grace, "--grace", 0, 600) * 1_000,
    interrupted: interruption.asked,
    insisted: interruption.insisted,
    events: terminal.json ? documents(frame) : words(frame, level),
  };
  const concurrency = count(options.concurrency, "--concurrency", 1, 64);
  const { finished, problem } = options.drain === true ? await drainQueue(request, concurrency) : await one(request);
  if (finished.length === 0) {
    terminal.answer({ type: "summary", runs: [], exit: 0 }, () => ["Nothing to do: the queue is empty."]);
    return 0;
  }
  // Work is left that was not even tried: that matters more than what came of the rest.
  const exit = problem === null ? exitOf(finished) : problem.exit;
  const summary = { type: "summary", runs: finished.map(({ run, stop, agent }) => ({ run, stop, agent })), exit };
  terminal.answer({ ...summary, ...(problem === null ? {} : { problem: { code: problem.code, message: problem.message } }) }, () => [
    ...summaryWords(finished, terminal, frame.hint),
    ...finished.slice(0, 1).map(({ run }) => `  more: ${frame.hint(`audit show ${run.id}`)}`),
    ...(problem === null
      ? []
      : [`  ${terminal.style("red", "ended before the queue was empty")}: ${safeLine(problem.message)} (${problem.code})`]),
  ]);
  return exit;
}

async function one(request: RunRequest): Promise<Drained> {
  const finished = await runOnce(request);
  return { finished: finished === null ? [] : [finished], problem: null };
}

function startOf(frame: Frame, options: RunOptions): StartRun {
  const { env } = frame.around;
  const environment = options.environment ?? env["AGENT_ENV"];
  if (environment === undefined || environment === "") {
    throw new RemitError("invalid-request", "Say where the agent acts: set AGENT_ENV, or pass --environment.");
  }
  const policy = options.policy ?? (env["AGENT_POLICY"] === "" ? undefined : env["AGENT_POLICY"]);
  const serviceName = env["OTEL_SERVICE_NAME"] ?? "";
  const start = startRunSchema.safeParse({
    workflow: options.workflow,
    environment,
    ...(policy === undefined ? {} : { policy }),
    ...(options.queue === undefined ? {} : { queue: options.queue === false ? null : options.queue }),
    ...(options.maxActions === undefined ? {} : { maxActions: count(options.maxActions, "--max-actions", 1, 10_000) }),
    requireApproval: options.requireHumanApproval,
    ...(serviceName === "" ? {} : { serviceName }),
  });
  if (start.success) return start.data;
  const issues = issuesOf(start.error);
  throw new RemitError("invalid-request", `This run cannot be started: ${issues.map(issueLine).join("; ")}`, { issues });
}

function allowedHosts(hosts: readonly string[]): readonly string[] {
  for (const host of hosts) {
    if (!reachableSchema.safeParse(host).success)
      throw new RemitError("invalid-request", `--allow-host ${host}: name a host, or host:port.`);
  }
  return hosts;
}

function count(text: string, option: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new RemitError("invalid-request", `${option} is a whole number from ${least} to ${most}.`);
}

/** Events for people: one line each, the run's id before it where several run at once. */
function words(frame: Frame, level: Level): RunEvents {
  const { terminal } = frame;
  const shows = (wanted: Level) => levels.indexOf(level) >= levels.indexOf(wanted);
  const short = (id: string) => terminal.style("dim", id.slice(-6));
  return {
    started: (run) => {
      if (!shows("info")) return;
      terminal.line(
        `${terminal.style("bold", run.id)} ${safeLine(run.workflow)} by ${safeLine(run.agent)} in ${safeLine(run.environment)} under ${safeLine(run.policy)}`,
      );
      if (run.subject !== null) terminal.line(`${short(run.id)} ${safeLine(run.subject)}`);
      terminal.say(`follow it with: ${frame.hint(`runs watch ${run.id}`)}`);
    },
    action: (run, action) => {
      const verdict = verdictOf(action);
      const wanted: Level = verdict === "open" ? "debug" : verdict === "done" ? "info" : "warn";
      if (shows(wanted)) terminal.line(`${short(run.id)} ${actionLine(action, terminal)}`);
    },
    output: (run, stream, line) => {
      if (shows("info"))
        terminal.say(`${short(run.id)} ${terminal.style("dim", stream === "stderr" ? "agent err |" : "agent     |")} ${line}`);
    },
    contained: (run, containment) => {
      const line = `${short(run.id)} ${safeLine(containmentWords(containment))}`;
      if (containment.by !== "nothing" && shows("info")) terminal.say(line);
      else if (shows("warn")) terminal.warn(line);
    },
    note: (run, message) => {
      if (shows("warn")) terminal.warn(`${short(run.id)} ${safeLine(message)}`);
    },
  };
}

/** Events for machines: one document a line. */
function documents(frame: Frame): RunEvents {
  const write = (value: unknown) => frame.terminal.line(safeJson(value));
  return {
    started: (run) => write({ type: "run-started", run }),
    action: (run, action) => write({ type: "action", runId: run.id, action }),
    output: (run, stream, line) => write({ type: "agent-output", runId: run.id, stream, line }),
    note: (run, message) => write({ type: "note", runId: run.id, message }),
    contained: (run, containment) => write({ type: "agent-contained", runId: run.id, containment }),
  };
}
