import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ApprovalView, LedgerVerdict, RunView } from "@remit/contract";
import { connect, connectFirst, exampleCalls } from "@remit/example-connect";
import type { Credentials } from "@remit/example-connect";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkplace } from "./start.testing.ts";
import type { Started } from "./start.testing.ts";

// One start for all: each test goes on from where the one before has left the place.
let workplace: Awaited<ReturnType<typeof openWorkplace>>;
let started: Started;

beforeAll(async () => {
  workplace = await openWorkplace();
  started = workplace.start();
  await started.event(({ type }) => type === "ready");
}, 240_000);
afterAll(() => workplace[Symbol.asyncDispose](), 240_000);

const remit = (...args: string[]) => workplace.run("remit", args);

async function remitJson<Value>(...args: string[]): Promise<Value> {
  const { exit, out, err } = await remit(...args, "--json");
  if (out === "") throw new Error(`remit ${args.join(" ")} ended with ${exit}: ${err}`);
  return JSON.parse(out) as Value;
}

async function until<Value>(look: () => Promise<Value | null | undefined | false>): Promise<Value> {
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    await delay(100);
  }
}

const pending = async (tool: string) =>
  (await remitJson<{ items: ApprovalView[] }>("approvals", "list", "--limit", "200")).items.filter((view) => view.tool === tool);

const mails = async () => (await readdir(join(workplace.dataDir, "support/mails"))).filter((file) => file.endsWith(".eml"));

test("[RUN-01][RUN-22][SAF-21] npm start triages the queue: most is done, some waits for a person, some is refused, all is recorded", () => {
  const of = (type: string) => started.events.filter((event) => event.type === type);
  const states = new Set(of("action").map(({ action }) => (action as { state: string }).state));
  expect([...states].toSorted()).toEqual(expect.arrayContaining(["denied", "succeeded", "waiting"]));
  expect(of("run-ended").length).toBeGreaterThan(10);
  const ready = of("ready")[0] as unknown as { verdict: LedgerVerdict; waiting: ApprovalView[]; failedRuns: number };
  expect(ready.verdict).toMatchObject({ ok: true, firstWrong: null });
  expect(ready.waiting.length).toBeGreaterThan(0);
  expect(ready.failedRuns).toBe(0);
  console.log(`first waiting approval after ${of("waiting")[0]?.ms ?? "?"} ms, ready after ${of("ready")[0]?.ms ?? "?"} ms`);
});

test("[CTL-28][RUN-13] an approved mail is sent exactly once, a denied one never, and only what was shown can be approved", async () => {
  expect(await mails()).toEqual([]);
  const [yes, no] = await pending("helpdesk__send_email");
  if (yes === undefined || no === undefined) throw new Error("two mails should wait");
  const shown = await remit("approvals", "show", yes.id);
  expect(shown.out).toContain(yes.digest);

  // Nobody is asked here, so what was seen has to be named.
  expect(await remit("approvals", "approve", yes.id, "--yes")).toMatchObject({ exit: 2, out: "" });
  expect(await remit("approvals", "approve", yes.id, "--digest", no.digest)).toMatchObject({ exit: 1, out: "" });
  expect((await remit("approvals", "approve", yes.id, "--digest", yes.digest)).exit).toBe(0);
  await until(async () => (await mails()).length === 1);
  expect((await remit("approvals", "deny", no.id, "--comment", "not like this")).exit).toBe(0);
  const consumed = await until(async () => {
    const view = await remitJson<ApprovalView>("approvals", "show", yes.id);
    return view.outcome === null ? null : view;
  });
  expect(consumed.state).toBe("consumed");
  expect(await remit("approvals", "deny", yes.id)).toMatchObject({ exit: 1 });
  expect(await mails()).toHaveLength(1);
});

test("[CTL-28] who may not decide is told so, and nothing happens", async () => {
  const [mail] = await pending("helpdesk__send_email");
  const refused = await remit("approvals", "approve", mail?.id ?? "", "--digest", mail?.digest ?? "", "--context", "leila");
  expect(refused.exit).toBe(4);
  expect(refused.err).toContain("may not decide");
});

test("[RUN-01][RUN-27][CTL-28][CTL-29][OBS-02] the agent-run line works as it stands, and ends with an honest summary and exit code", async () => {
  const line = "--workflow triage --queue billing-tier1 --max-actions 3 --require-human-approval send_email --log-level info";
  const env = { AGENT_ENV: "staging", AGENT_POLICY: "customer_support_tier1_v3", OTEL_SERVICE_NAME: "support-agent" };
  const { exit, out } = await workplace.run("agent-run", line.split(" "), env);
  const id = /^run_[0-9a-f]{32}/m.exec(out)?.[0] ?? "";
  expect(out).toMatch(/\d+ done, \d+ waiting, \d+ refused, \d+ failed/);
  const run = await remitJson<RunView & { actionList: { state: string }[] }>("runs", "show", id);
  expect(run.limits.actions).toBe(3);
  expect(["completed", "stopped-at-limit"]).toContain(run.state);
  const waits = run.actionList.some(({ state }) => state === "waiting");
  expect(exit).toBe(waits ? 5 : run.state === "completed" ? 0 : 1);
});

test("[RUN-28] somebody else's program is run and governed in the same way", async () => {
  const { exit, out } = await workplace.run(
    "agent-run",
    ["--workflow", "triage", "--json", "--", "node", "--eval", "console.log(process.env.REMIT_WORK_ITEM)"],
    {
      AGENT_ENV: "staging",
    },
  );
  expect(exit).toBe(0);
  const events = out
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text) as { type: string; line?: string });
  expect(JSON.parse(events.find(({ type }) => type === "agent-output")?.line ?? "null")).toMatchObject({ queue: "billing-tier1" });
});

test("[AUD-04] what a run saw and did, why, and who approved it is shown in order", async () => {
  const [run] = (await remitJson<{ items: RunView[] }>("runs", "list", "--limit", "1")).items;
  const { exit, out } = await remit("audit", "show", run?.id ?? "");
  expect(exit).toBe(0);
  expect(out).toContain("run-started");
  const approved = (await remitJson<{ items: ApprovalView[] }>("approvals", "list", "--state", "consumed")).items[0];
  const story = (await remit("audit", "show", approved?.actionId ?? "")).out;
  for (const part of ["helpdesk__send_email", "asked", "policy", "require-approval", "party:sam said approve", "outcome"])
    expect(story).toContain(part);
  expect(story.indexOf("require-approval")).toBeLessThan(story.indexOf("said approve"));
  expect(story.indexOf("said approve")).toBeLessThan(story.indexOf("outcome"));
});

test("[SAF-01][SAF-02] a halt stops what agents do, and takes two people to release", async () => {
  const halted = await remit("halt", "on", "--reason", "drill");
  expect(halted.exit).toBe(0);
  expect((await remit("halt", "status")).out).toContain("drill");
  expect((await remit("status")).exit).toBe(6);
  const run = await workplace.run("agent-run", ["--workflow", "triage"], { AGENT_ENV: "staging" });
  expect(run.exit).toBe(6);
  expect((await remit("halt", "off", "--reason", "drill is over")).exit).toBe(5);
  expect((await remit("halt", "off", "--reason", "again")).exit).not.toBe(0);
  expect((await remit("halt", "off", "--reason", "I agree", "--context", "ada")).exit).toBe(0);
  expect((await remit("halt", "status")).out).toBe("Nothing is halted.\n");
});

test("[CTL-39][RUN-28] clients of both official SDKs see and call what their agent may, on MCP servers that others wrote", async () => {
  const place = dirname(workplace.dataDir);
  const [registry, files] = [join(place, "registry"), join(place, "files")];
  for (const example of ["support", "connect"]) {
    const source = join(import.meta.dirname, "../examples", example);
    await cp(source, registry, { recursive: true, filter: (path) => !path.includes("node_modules") });
  }
  const upstreams = join(registry, "upstreams/connect.yaml");
  await writeFile(upstreams, (await readFile(upstreams, "utf8")).replaceAll("/tmp/remit-files", files));
  await mkdir(files);
  await writeFile(join(files, "plan.md"), "# Plan: ship on Monday\n");
  await writeFile(join(files, "secret.md"), "swordfish\n");
  const applied = await remit("apply", registry, "--yes");
  expect(applied.err + applied.out).toContain("Applied");

  const credentials = async (agent: string): Promise<Credentials> => {
    const made = await remitJson<{ clientId: string; clientSecret: string; resource: string }>("agents", "secret", "new", agent);
    return { mcpUrl: made.resource, clientId: made.clientId, clientSecret: made.clientSecret };
  };
  const [observer, editor] = [await credentials("files-observer"), await credentials("files-editor")];
  const calls = exampleCalls(files);
  const reads = ["everything__get-sum", "files__list_directory", "files__read_text_file"];
  const asked: unknown[] = [];
  for (const open of [connect, connectFirst]) {
    const looking = await open(observer);
    expect((await looking.listTools()).tools.map(({ name }) => name)).toEqual(reads);
    expect(await looking.callTool(calls.waiting)).toMatchObject({ isError: true, _meta: { "remit/outcome": { code: "tier-too-low" } } });
    await looking.close();

    const editing = await open(editor);
    expect((await editing.listTools()).tools.map(({ name }) => name)).toEqual([...reads, "files__write_file"]);
    expect(await editing.callTool(calls.allowed)).toMatchObject({ content: [{ text: "# Plan: ship on Monday\n" }] });
    expect(await editing.callTool(calls.refused)).toMatchObject({ isError: true, _meta: { "remit/outcome": { code: "policy-stop" } } });
    const outcome = await editing.callTool(calls.waiting);
    expect(outcome).toMatchObject({ isError: true, _meta: { "remit/outcome": { type: "waiting", teams: ["support-lead"] } } });
    asked.push((outcome["_meta"] as Record<string, { approvalId: string }>)["remit/outcome"]?.approvalId);
    await editing.close();
  }
  // The same call is the same request, whoever's client makes it.
  const [id] = asked;
  expect(asked).toEqual([id, id]);

  const { digest } = await remitJson<ApprovalView>("approvals", "show", String(id));
  expect((await remit("approvals", "approve", String(id), "--digest", digest)).exit).toBe(0);
  await until(async () => (await remitJson<ApprovalView>("approvals", "show", String(id))).outcome);
  expect(await readFile(join(files, "plan.md"), "utf8")).toBe("# Plan: ship on Tuesday\n");
  const client = await connect(editor);
  const repeated = await client.callTool(calls.waiting);
  expect(repeated["isError"]).not.toBe(true);
  expect(await pending("files__write_file")).toEqual([]);
  await client.close();
});

test("[AUD-04] after all this the ledger verifies", async () => {
  const verdict = await remit("audit", "verify");
  expect(verdict.out).toContain("The ledger verifies.");
  expect(verdict.exit).toBe(0);
});

test("[SAF-21] Ctrl-C ends everything cleanly, and a second start goes on without doing anything twice", async () => {
  const before = (await remitJson<{ items: RunView[] }>("runs", "list", "--limit", "200")).items.length;
  expect(await started.interrupt()).toBe(0);
  expect((await remit("runs", "list")).exit).toBe(3);

  const again = workplace.start("--once");
  const ready = (await again.event(({ type }) => type === "ready")) as unknown as {
    verdict: LedgerVerdict;
    runs: number;
    waiting: ApprovalView[];
  };
  expect(await again.exited).toBe(0);
  expect(ready.verdict.ok).toBe(true);
  expect(ready.waiting.length).toBeGreaterThan(0);
  // Only what came in after the first triage and was not claimed by hand.
  expect(ready.runs).toBeLessThanOrEqual(3);
  expect(before).toBeGreaterThan(ready.runs);
  expect(await mails()).toHaveLength(1);
}, 240_000);
