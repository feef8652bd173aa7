import { dirname, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errorTable, runViewSchema, startedRunSchema } from "@remit/contract";
import type { ActionView, Containment, EndRun, RemitError, RunView, StartRun } from "@remit/contract";
import { path } from "../client/http-client.ts";
import type { HttpClient } from "../client/http-client.ts";
import { asRemitError } from "../terminal/failure.ts";
import { agentEnvironment } from "./agent-environment.ts";
import { startAgentProcess, unstartedAgent } from "./agent-process.ts";
import type { AgentExit, AgentProcess } from "./agent-process.ts";
import { containAgent } from "./contain-agent.ts";
import { followActions } from "./follow-actions.ts";
import type { ActionFollower } from "./follow-actions.ts";
import { startRunSpan } from "./run-span.ts";
import type { RunSpan } from "./run-span.ts";
import { keepRunToken } from "./run-token.ts";

/** Why an agent was stopped before it ended by itself. */
export type Stop = { cause: "limit" | "halt" | "interrupted" | "ended" | "unreachable"; reason: string };

/** Everything that is known of a run once it is over. */
export type FinishedRun = { run: RunView; actions: ActionView[]; agent: AgentExit; stop: Stop | null };

export type RunEvents = {
  started: (run: RunView) => void;
  action: (run: RunView, action: ActionView) => void;
  output: (run: RunView, stream: "stdout" | "stderr", line: string) => void;
  note: (run: RunView, message: string) => void;
  contained: (run: RunView, containment: Containment) => void;
  finished?: (finished: FinishedRun) => void;
};

export type RunRequest = {
  client: HttpClient;
  start: StartRun;
  env: Readonly<Record<string, string | undefined>>;
  /** Instead of the workflow's own program. */
  command: readonly string[] | null;
  /** Where a workflow's relative folder starts. */
  registryDir: string;
  cwd: string;
  passEnv: readonly string[];
  /** False: the agent's program is not contained, whatever its workflow says. */
  contained: boolean;
  allowHosts: readonly string[];
  /** Where a Remit on this machine keeps its keys: never shown to an agent. */
  dataDir: string;
  logLevel: string;
  /** How long an agent that was asked to end may take. */
  graceMs: number;
  interrupted: AbortSignal;
  insisted: AbortSignal;
  events: RunEvents;
};

const fastestPoll = 100;
const slowestPoll = 1_000;
/** Without a server no action can happen: an agent is not left to try for longer. */
const unreachableMs = 30_000;
/** An agent that is told its limit is reached may still say what it has done. */
const afterLimitMs = 5_000;

/** Runs one run from claim to end. Null: the queue is empty. @throws RemitError where the run could not be started. */
export async function runOnce(request: RunRequest): Promise<FinishedRun | null> {
  const { client, start, events } = request;
  const serviceName = start.serviceName ?? start.workflow;
  const span = await startRunSpan(request.env, serviceName, start.workflow);
  const started = await client.send({
    method: "POST",
    path: "/v1/runs",
    body: { ...start, traceparent: span.traceparent },
    response: startedRunSchema,
  });
  if (started.run === null) return null;
  const { run, item } = started;
  events.started(run);
  const stopping = createStopping(request, run);
  const kept = new AbortController();
  const tokenFile = await keepRunToken({
    client,
    runId: run.id,
    first: started,
    signal: kept.signal,
    onLost: (error) => stopping.stop(stopOfRefusal(error)),
  });
  try {
    const command = request.command ?? started.agent.command;
    const cwd = request.command === null ? resolve(request.registryDir, started.agent.cwd ?? ".") : request.cwd;
    const variables = {
      runId: run.id,
      mcpUrl: started.mcpUrl,
      token: started.token,
      tokenFile: tokenFile.file,
      workItem: item,
      traceparent: span.traceparent,
      serviceName,
      logLevel: request.logLevel,
      environment: run.environment,
    };
    const prepared = await containAgent({
      ...request,
      command,
      cwd,
      env: agentEnvironment(request.env, variables, request.passEnv, dirname(process.execPath)),
      sandbox: started.agent.sandbox,
      mcpUrl: started.mcpUrl,
      tokenFile: tokenFile.file,
    }).catch((error: unknown) => unstartedAgent(command[0] ?? "", cwd, error));
    const contained = "containment" in prepared ? prepared : null;
    if (contained !== null) events.contained(run, contained.containment);
    const agent =
      "containment" in prepared
        ? startAgentProcess({
            contained: prepared,
            runId: run.id,
            graceMs: request.graceMs,
            onOutput: (stream, line) => events.output(run, stream, line),
          })
        : prepared;
    const follower = followActions(client, run.id);
    const exit = await supervise(request, run, agent, follower, stopping);
    kept.abort();
    const finished = await finish(request, run, { exit, containment: contained?.containment }, follower, stopping, span);
    events.finished?.(finished);
    return finished;
  } finally {
    kept.abort();
    stopping.dispose();
    await tokenFile.remove();
  }
}

type Stopping = { stop(stop: Stop): void; current(): Stop | null; requested: Promise<void>; dispose(): void };

/** The first reason to stop counts. */
function createStopping(request: RunRequest, run: RunView): Stopping {
  let current: Stop | null = null;
  const { promise: requested, resolve: wake } = Promise.withResolvers<void>();
  const stop = (reason: Stop) => {
    current ??= reason;
    wake();
  };
  // Both times are the server's, so the length is right whatever the clock here says.
  const wallclock = Math.max(Date.parse(run.limits.deadline) - Date.parse(run.startedAt), 0);
  const timer = setTimeout(() => stop({ cause: "limit", reason: "its time is up" }), Math.min(wallclock, 2_147_483_647));
  const interrupt = () => stop({ cause: "interrupted", reason: "interrupted by its operator" });
  if (request.interrupted.aborted) interrupt();
  request.interrupted.addEventListener("abort", interrupt, { once: true });
  return {
    stop,
    current: () => current,
    requested,
    dispose: () => {
      clearTimeout(timer);
      request.interrupted.removeEventListener("abort", interrupt);
    },
  };
}

/** Follows the run until the program has ended, by itself or because it has to. */
async function supervise(
  request: RunRequest,
  run: RunView,
  agent: AgentProcess,
  follower: ActionFollower,
  stopping: Stopping,
): Promise<AgentExit> {
  const ended = new AbortController();
  const { exited } = agent;
  void exited.then(() => ended.abort());
  const insist = () => void agent.kill();
  request.insisted.addEventListener("abort", insist, { once: true });
  let wait = fastestPoll;
  let lastAnswer = performance.now();
  let limitAt: number | null = null;
  try {
    while (!ended.signal.aborted && stopping.current() === null) {
      try {
        const changed = await follower.poll();
        const view = await request.client.send({ path: path`/v1/runs/${run.id}`, response: runViewSchema });
        lastAnswer = performance.now();
        for (const action of changed) request.events.action(run, action);
        wait = changed.length > 0 ? fastestPoll : Math.min(wait * 1.5, slowestPoll);
        const halted = view.state === "halted" || changed.some((action) => action.state === "halted" || action.code === "halted");
        if (halted) stopping.stop({ cause: "halt", reason: haltReason(view, changed) });
        else if (view.state !== "running") stopping.stop({ cause: "ended", reason: view.reason ?? `the run is ${view.state}` });
        if (changed.some((action) => action.code === "run-limit-reached")) limitAt ??= performance.now();
      } catch (thrown) {
        const error = asRemitError(thrown);
        if (errorTable[error.code].exit !== 3) stopping.stop(stopOfRefusal(error));
        else if (performance.now() - lastAnswer > unreachableMs) stopping.stop({ cause: "unreachable", reason: error.message });
      }
      if (limitAt !== null && performance.now() - limitAt > afterLimitMs) stopping.stop(actionsLimit(run));
      if (!ended.signal.aborted && stopping.current() === null) await Promise.race([exited, stopping.requested, delay(wait)]);
    }
    const stop = stopping.current();
    if (!ended.signal.aborted && stop !== null) {
      request.events.note(run, `stopping the agent: ${stop.reason}`);
      return await agent.stop();
    }
    return await exited;
  } finally {
    request.insisted.removeEventListener("abort", insist);
  }
}

async function finish(
  request: RunRequest,
  run: RunView,
  { exit, containment }: { exit: AgentExit; containment: Containment | undefined },
  follower: ActionFollower,
  stopping: Stopping,
  span: RunSpan,
): Promise<FinishedRun> {
  for (const action of await follower.poll().catch(() => [])) request.events.action(run, action);
  let stop = stopping.current();
  // It ended by itself, but only after it was told that there was nothing more to have.
  if (stop === null && follower.all().some((action) => action.code === "run-limit-reached")) stop = actionsLimit(run);
  const end: EndRun = { ...endOf(exit, stop), ...(containment !== undefined && { containment }) };
  let view = run;
  try {
    view = await request.client.send({ method: "POST", path: path`/v1/runs/${run.id}/end`, body: end, response: runViewSchema });
  } catch (thrown) {
    const error = asRemitError(thrown);
    const transient = errorTable[error.code].exit === 3;
    if (transient) stop ??= { cause: "unreachable", reason: error.message };
    // The server ended it before we did: what it says is how it ended.
    else view = await request.client.send({ path: path`/v1/runs/${run.id}`, response: runViewSchema }).catch(() => run);
  }
  for (const action of await follower.poll().catch(() => [])) request.events.action(run, action);
  const actions = follower.all();
  await span.end(
    { "remit.run.id": run.id, "gen_ai.agent.name": run.agent, "remit.run.state": view.state, "remit.actions": actions.length },
    end.outcome === "completed" ? null : end.reason,
  );
  return { run: view, actions, agent: exit, stop };
}

function endOf(exit: AgentExit, stop: Stop | null): EndRun {
  if (stop?.cause === "limit") return { outcome: "stopped-at-limit", reason: stop.reason };
  if (stop !== null) return { outcome: stop.cause === "unreachable" ? "failed" : "cancelled", reason: stop.reason.slice(0, 1_000) };
  if (exit.code === 0) return { outcome: "completed", reason: "the agent ended by itself" };
  return { outcome: "failed", reason: exitWords(exit).slice(0, 1_000) };
}

/** How a program ended, as a sentence without its full stop. */
export function exitWords(exit: AgentExit): string {
  if (exit.problem !== null) return exit.problem;
  if (exit.signal !== null) return `the agent was ended by ${exit.signal}`;
  return `the agent ended with exit code ${exit.code ?? "unknown"}`;
}

function actionsLimit(run: RunView): Stop {
  return { cause: "limit", reason: `its limit of ${run.limits.actions} actions is reached` };
}

function haltReason(view: RunView, changed: readonly ActionView[]): string {
  return changed.find((action) => action.code === "halted")?.reason ?? view.reason ?? "halted";
}

function stopOfRefusal(error: RemitError): Stop {
  const cause = error.code === "halted" ? "halt" : errorTable[error.code].exit === 3 ? "unreachable" : "ended";
  return { cause, reason: error.message };
}
