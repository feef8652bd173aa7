import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import type { TestSurroundings } from "../terminal/surroundings.testing.ts";
import { startScriptedServer } from "./scripted-server.testing.ts";
import type { ScriptedServer } from "./scripted-server.testing.ts";

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.stop();
});

const act = `const act = (action) => fetch(process.env.REMIT_MCP_URL, { method: "POST", body: JSON.stringify(action) });`;
const forever = `await new Promise(() => setInterval(() => {}, 1000));`;
const waiting = `await act({ tool: "helpdesk__send_email", state: "waiting", approvalId: "apr_00000000000000000000000000000001", reason: "mail leaves in our name" });`;
const denied = `await act({ tool: "helpdesk__refund.create", state: "denied", code: "policy-stop", reason: "no refunds from mails" });`;

type Started = { exit: Promise<number>; around: TestSurroundings; server: ScriptedServer };

async function agentRun(
  script: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
  set: Partial<ScriptedServer> = {},
): Promise<Started> {
  const scripted = await startScriptedServer({ command: ["node", "--input-type=module", "--eval", `${act}\n${script}`] });
  server = Object.assign(scripted, set);
  const around = testSurroundings({
    env: { PATH: process.env["PATH"] ?? "", AGENT_ENV: "staging", REMIT_CONFIG_DIR: "/nowhere", REMIT_URL: scripted.url, ...env },
    cwd: "/tmp",
  });
  const exit = runCommandLine(["run", "--workflow", "triage", "--grace", "1", ...args], around);
  return { exit, around, server: scripted };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(10);
}

test("[RUN-01][RUN-27][CTL-28][CTL-29][OBS-02] environment, policy, queue, limits and tags reach the server as they are given", async () => {
  const args = ["--queue", "billing-tier1", "--max-actions", "3", "--require-human-approval", "send_email", "--log-level", "info"];
  const { exit, server } = await agentRun("", args, { AGENT_POLICY: "customer_support_tier1_v3", OTEL_SERVICE_NAME: "support-agent" });
  expect(await exit).toBe(0);
  const body = JSON.parse(server.asked[0]?.replace("POST /v1/runs ", "") ?? "") as Record<string, unknown>;
  expect(body).toEqual({
    workflow: "triage",
    environment: "staging",
    policy: "customer_support_tier1_v3",
    queue: "billing-tier1",
    maxActions: 3,
    requireApproval: ["send_email"],
    serviceName: "support-agent",
    traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/) as string,
  });
  expect(server.ended).toEqual([{ outcome: "completed", reason: "the agent ended by itself" }]);
});

test("[RUN-28] somebody else's program gets the gateway, its token, its work and its trace, and nothing that is not its business", async () => {
  const script = `
    import { readFileSync } from "node:fs";
    const { PATH, HOME, LANG, TERM, TMPDIR, NO_COLOR, PWD, OLDPWD, SHLVL, ...rest } = process.env;
    console.log(JSON.stringify({ ...rest, file: readFileSync(rest.REMIT_TOKEN_FILE, "utf8") }));`;
  const { exit, around, server } = await agentRun(
    "",
    ["--json", "--pass-env", "MINE", "--", "node", "--input-type=module", "--eval", script],
    {
      OTEL_SERVICE_NAME: "support-agent",
      ANTHROPIC_API_KEY: "model-key",
      DATABASE_URL: "postgres://secret",
      AWS_SECRET_ACCESS_KEY: "secret",
      MINE: "mine",
    },
  );
  expect(await exit).toBe(0);
  const lines = around
    .out()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; line?: string });
  expect(lines.map((line) => line.type)).toEqual(["run-started", "agent-contained", "agent-output", "summary"]);
  const env = JSON.parse(lines[2]?.line ?? "") as Record<string, string>;
  expect(Object.keys(env).toSorted()).toEqual([
    "AGENT_ENV",
    "ANTHROPIC_API_KEY",
    "MINE",
    "OTEL_SERVICE_NAME",
    "REMIT_LOG_LEVEL",
    "REMIT_MCP_URL",
    "REMIT_RUN_ID",
    "REMIT_TOKEN",
    "REMIT_TOKEN_FILE",
    "REMIT_WORK_ITEM",
    "TRACEPARENT",
    "file",
  ]);
  expect(env).toMatchObject({ REMIT_MCP_URL: `${server.url}/mcp`, REMIT_TOKEN: "token-0", file: "token-0", REMIT_RUN_ID: server.run.id });
  expect(JSON.parse(env["REMIT_WORK_ITEM"] ?? "")).toMatchObject({ payload: { ticketId: "T-1042" } });
  expect(server.asked[0]).toContain(env["TRACEPARENT"]);
  // Its token is gone with it.
  await expect(readFile(env["REMIT_TOKEN_FILE"] ?? "")).rejects.toThrow("ENOENT");
});

test("[RUN-22][SAF-21] a run ends with what was done, what waits for whom and what was refused", async () => {
  const { exit, around } = await agentRun(`await act({}); ${waiting} ${denied} ${denied} console.log("looked at \\x1b[2Jeverything");`);
  expect(await exit).toBe(5);
  expect(around.out()).toMatchInlineSnapshot(`
    "run_00000000000000000000000000000001 triage by support-triage in staging under customer_support_tier1_v3
    000001 T-1042 Where is my refund?
    000001 ✓ helpdesk__tickets.read  succeeded
    000001 … helpdesk__send_email  waiting  apr_00000000000000000000000000000001: mail leaves in our name
    000001 ✗ helpdesk__refund.create  denied: policy-stop: no refunds from mails
    000001 ✗ helpdesk__refund.create  denied: policy-stop: no refunds from mails

    run_00000000000000000000000000000001 completed: T-1042 Where is my refund?
      1 done, 1 waiting, 2 refused, 0 failed
      refused 2 × helpdesk__refund.create: policy-stop: no refunds from mails
      waits for a person: helpdesk__send_email (mail leaves in our name)
        remit approvals approve apr_00000000000000000000000000000001
      more: remit audit show run_00000000000000000000000000000001
    "
  `);
  expect(around.err()).toContain(String.raw`agent     | looked at \u001b[2Jeverything`);
});

const exits: { name: string; script: string; exit: number; outcome: string; reason: RegExp }[] = [
  { name: "nothing but refusals", script: denied, exit: 4, outcome: "completed", reason: /by itself/ },
  { name: "an agent that dies", script: `${waiting} process.exit(7)`, exit: 1, outcome: "failed", reason: /exit code 7/ },
  {
    name: "an action that failed",
    script: `await act({ state: "failed", code: "upstream-error", reason: "no" })`,
    exit: 1,
    outcome: "completed",
    reason: /by itself/,
  },
  {
    name: "a limit of actions",
    script: `await act({}); await act({ state: "denied", code: "run-limit-reached", reason: "3 of 3" })`,
    exit: 1,
    outcome: "stopped-at-limit",
    reason: /limit of 3 actions/,
  },
  {
    name: "a halt",
    script: `await act({ state: "denied", code: "halted", reason: "refunds look wrong" }); ${forever}`,
    exit: 6,
    outcome: "cancelled",
    reason: /refunds look wrong/,
  },
  {
    name: "safe mode",
    script: `await act({ state: "denied", code: "safe-mode", reason: "read only" })`,
    exit: 4,
    outcome: "completed",
    reason: /by itself/,
  },
];

test.each(exits)("[RUN-01][SAF-21] $name: exit $exit, and the run ends as $outcome", async ({ script, exit, outcome, reason }) => {
  const started = await agentRun(script);
  expect(await started.exit).toBe(exit);
  expect(started.server.ended).toEqual([{ outcome, reason: expect.stringMatching(reason) as string }]);
});

test("[CTL-29] an agent that goes on after its limit is stopped", async () => {
  const { exit, server, around } = await agentRun(
    `await act({ state: "denied", code: "run-limit-reached", reason: "3 of 3" }); process.on("SIGTERM", () => {}); ${forever}`,
  );
  expect(await exit).toBe(1);
  expect(server.ended[0]?.outcome).toBe("stopped-at-limit");
  expect(around.err()).toContain("stopping the agent: its limit of 3 actions is reached");
});

test("[CTL-29] an agent that hangs is stopped when its time is up", async () => {
  const scripted = await startScriptedServer({ command: ["node", "--input-type=module", "--eval", forever] });
  server = scripted;
  scripted.run.limits.deadline = new Date(Date.parse(scripted.run.startedAt) + 700).toISOString();
  const around = testSurroundings({
    env: { PATH: process.env["PATH"] ?? "", AGENT_ENV: "staging", REMIT_CONFIG_DIR: "/nowhere", REMIT_URL: scripted.url },
  });
  expect(await runCommandLine(["run", "--workflow", "triage"], around)).toBe(1);
  expect(scripted.ended).toEqual([{ outcome: "stopped-at-limit", reason: "its time is up" }]);
});

test("[SAF-01] a run that is halted while its agent does nothing is stopped too", async () => {
  const { exit, server, around } = await agentRun(`await act({}); ${forever}`);
  await until(() => around.out().includes("succeeded"));
  server.run = { ...server.run, state: "halted", reason: "halted by ada: it loops" };
  expect(await exit).toBe(6);
});

test("[SAF-01] Ctrl-C stops the agent and ends the run as cancelled; a second one does not wait", async () => {
  const { exit, server, around } = await agentRun(`process.on("SIGTERM", () => {}); await act({}); ${forever}`, ["--grace", "600"]);
  await until(() => around.out().includes("succeeded"));
  around.interrupt();
  await until(() => around.err().includes("stopping the agent"));
  around.insist();
  expect(await exit).toBe(1);
  expect(server.ended).toEqual([{ outcome: "cancelled", reason: "interrupted by its operator" }]);
});

test("[RUN-28] a token is renewed before it ends, and an agent whose token is taken away is stopped", async () => {
  const script = `
    import { readFileSync } from "node:fs";
    while (readFileSync(process.env.REMIT_TOKEN_FILE, "utf8") === "token-0") await new Promise((done) => setTimeout(done, 20));
    await act({}); ${forever}`;
  const { exit, server, around } = await agentRun(script, [], {}, { tokenLifetimeMs: 600 });
  await until(() => around.out().includes("succeeded"));
  expect(server.renewals).toBeGreaterThan(0);
  server.failRenewal = { status: 403, code: "agent-suspended", detail: "ines has left" };
  expect(await exit).toBe(1);
  expect(around.err()).toContain("stopping the agent: ines has left");
});

test("[RUN-15] a queue that takes nothing more, and a server that is not there, are worth trying again", async () => {
  const full = await agentRun("", [], {}, { fail: { status: 429, code: "queue-full", detail: "billing-tier1 holds 1000 items" } });
  expect(await full.exit).toBe(3);
  expect(full.around.err()).toContain("billing-tier1 holds 1000 items (queue-full)");
  await full.server.stop();
  expect(await runCommandLine(["run", "--workflow", "triage"], full.around)).toBe(3);
});

test("[RUN-27] an empty queue is nothing to do", async () => {
  const { exit, around } = await agentRun("", [], {}, { items: 0 });
  expect(await exit).toBe(0);
  expect(around.out()).toBe("Nothing to do: the queue is empty.\n");
});

test("a command that is suggested can be typed as it stands, also by who has no remit on the PATH", async () => {
  const { exit, around } = await agentRun("await act({})", [], { npm_command: "exec" });
  expect(await exit).toBe(0);
  expect(around.out()).toContain("more: npx remit audit show run_");
});

test("[RUN-27] draining starts a run for each item until the queue is empty", async () => {
  const { exit, server, around } = await agentRun("await act({})", ["--drain"], {}, { items: 3 });
  expect(await exit).toBe(0);
  expect(server.ended).toHaveLength(3);
  expect(around.out()).toContain("3 done, 0 waiting");
});

test("[RUN-27][SAF-21] draining gives up when the agent fails again and again", async () => {
  const { exit, server, around } = await agentRun("process.exit(1)", ["--drain"], {}, { items: 50 });
  expect(await exit).toBe(1);
  expect(server.ended).toHaveLength(3);
  expect(around.out()).toContain("ended before the queue was empty: The agent failed 3 times, one after the other. (agent-failing)");
});

test("[SAF-01][RUN-22] a halt between two runs of a queue is what the summary ends with, and what it exits with", async () => {
  const { exit, server, around } = await agentRun(denied, ["--drain"], {}, { items: 50 });
  await until(() => server.ended.length > 0);
  server.fail = { status: 423, code: "halted", detail: "Halted: the answers look wrong." };
  expect(await exit).toBe(6);
  expect(around.out()).toContain("ended before the queue was empty: Halted: the answers look wrong. (halted)");
});

test("[SAF-01][RUN-22] a halt while an agent works on an item of a queue is said in the same words", async () => {
  const { exit, server, around } = await agentRun(`await act({}); ${forever}`, ["--drain"], {}, { items: 50 });
  await until(() => around.out().includes("succeeded"));
  server.fail = { status: 423, code: "halted", detail: "Halted: the answers look wrong." };
  expect(await exit).toBe(6);
  expect(server.items).toBe(49);
  expect(around.out()).toContain("ended before the queue was empty: Halted: the answers look wrong. (halted)");
});

test("[OBS-02] an OTLP endpoint that is down changes nothing", async () => {
  const { exit, around } = await agentRun("await act({})", [], {
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
    OTEL_SERVICE_NAME: "support-agent",
  });
  expect(await exit).toBe(0);
  expect(around.err()).not.toContain("127.0.0.1:9");
});

const usage: { args: string[]; env: Record<string, string>; says: RegExp }[] = [
  { args: [], env: { AGENT_ENV: "" }, says: /set AGENT_ENV, or pass --environment/ },
  { args: ["--max-actions", "0"], env: {}, says: /--max-actions is a whole number from 1/ },
  { args: ["--log-level", "loud"], env: {}, says: /--log-level is one of error, warn, info, debug/ },
  { args: ["--environment", "No Such"], env: {}, says: /environment/ },
];

test.each(usage)("[RUN-01] $args $env is refused before anything starts", async ({ args, env, says }) => {
  const { exit, around, server } = await agentRun("", args, env);
  expect(await exit).toBe(2);
  expect(around.err()).toMatch(says);
  expect(server.asked).toEqual([]);
});
