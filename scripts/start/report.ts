import { approvalViewSchema } from "@remit/contract";
import type { ActionView, RunView } from "@remit/contract";
import { duration, path, safeJson, safeLine, verdictOf } from "@remit/cli";
import type { FinishedRun, HttpClient, Terminal } from "@remit/cli";
import { decideCommand } from "./people.ts";
import { readyScreen } from "./ready-screen.ts";
import type { Outcome } from "./show-example.ts";

/** Tells what happens while it happens: to a person in words, to a machine as one JSON document a line. */
export type Report = {
  step<Result>(what: string, work: () => Promise<Result>): Promise<Result>;
  triageStarts(queue: string): void;
  runStarted(run: RunView): void;
  action(run: RunView, action: ActionView): void;
  /** Something waits for a person. The first time it is told at once, with what to do. */
  waits(client: HttpClient, approvalId: string): Promise<void>;
  note(message: string): void;
  runEnded(finished: FinishedRun): void;
  ready(outcome: Outcome, dataDir: string | null): void;
  stopping(): void;
};

/** Milliseconds since this process was started. */
function elapsed(): number {
  return Math.round(performance.now());
}

export function createReport(terminal: Terminal): Report {
  return terminal.json ? documents(terminal) : words(terminal);
}

function documents(terminal: Terminal): Report {
  const write = (event: Record<string, unknown>) => terminal.line(safeJson({ ...event, ms: elapsed() }));
  return {
    async step(what, work) {
      const result = await work();
      write({ type: "step", what });
      return result;
    },
    triageStarts: (queue) => write({ type: "triage-started", queue }),
    runStarted: (run) => write({ type: "run-started", run }),
    action: (run, action) => write({ type: "action", runId: run.id, action }),
    async waits(client, approvalId) {
      const approval = await client.send({ path: path`/v1/approvals/${approvalId}`, response: approvalViewSchema });
      write({ type: "waiting", approval, decide: decideCommand(approval) });
    },
    note: (message) => write({ type: "note", message }),
    runEnded: ({ run, stop, agent }) => write({ type: "run-ended", run, stop, agent }),
    ready: ({ finished, ...outcome }, dataDir) => write({ type: "ready", ...outcome, runs: finished.length, dataDir }),
    stopping: () => write({ type: "stopping" }),
  };
}

function words(terminal: Terminal): Report {
  let isFirst = true;
  return {
    async step(what, work) {
      const result = await work();
      terminal.line(`${terminal.style("green", "✓")} ${what}  ${terminal.style("dim", duration(elapsed()))}`);
      return result;
    },
    triageStarts: (queue) => terminal.line(`\nThe agent support-triage works through ${queue}:`),
    runStarted: () => undefined,
    action: () => undefined,
    async waits(client, approvalId) {
      if (!isFirst) return;
      isFirst = false;
      const view = await client.send({ path: path`/v1/approvals/${approvalId}`, response: approvalViewSchema });
      terminal.line(
        `${terminal.style("yellow", "→ waits for a person")}: ${safeLine(view.tool)}, ${safeLine(view.reason)}  ${terminal.style("dim", duration(elapsed()))}`,
      );
      terminal.line(`  decide it now, in another terminal: ${decideCommand(view)}`);
    },
    note: (message) => terminal.line(`  ${safeLine(message)}`),
    runEnded: (finished) => terminal.line(runLine(finished, terminal)),
    ready: (outcome, dataDir) => {
      for (const line of readyScreen(outcome, terminal, dataDir)) terminal.line(line);
    },
    stopping: () => terminal.say("\nStopping. Ctrl-C does not wait for it."),
  };
}

/** One line of one ticket: what the agent was allowed, what it waits for, what it was refused. */
function runLine({ run, actions }: FinishedRun, terminal: Terminal): string {
  const count = (verdict: ReturnType<typeof verdictOf>) => actions.filter((action) => verdictOf(action) === verdict).length;
  const [done, waiting, refused, failed] = [count("done"), count("waiting"), count("refused"), count("failed")];
  const parts = [
    terminal.style("green", `${done} done`),
    ...(waiting > 0 ? [terminal.style("yellow", `${waiting} waiting`)] : []),
    ...(refused > 0 ? [terminal.style("red", `${refused} refused`)] : []),
    ...(failed > 0 ? [terminal.style("red", `${failed} failed`)] : []),
    ...(run.state === "completed" ? [] : [run.state]),
  ];
  return `  ${safeLine(run.subject ?? run.id)}  ${parts.join(", ")}`;
}
