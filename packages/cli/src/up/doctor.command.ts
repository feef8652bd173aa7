import { anchorsViewSchema, credentialViewSchema } from "@remit/contract";
import { examineMachine, processesHeldBy } from "@remit/sandbox";
import type { Command } from "commander";
import { z } from "zod";
import { anchorWords } from "../audit/anchor-words.ts";
import type { HttpClient } from "../client/http-client.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { chosenDataDir } from "./data-dir.ts";
import type { Finding } from "./finding.ts";
import { upstreamFindings, upstreamHealthSchema } from "./upstream-findings.ts";

const healthSchema = z.object({ items: z.array(upstreamHealthSchema) });

export function defineDoctor(command: Command, run: Run): void {
  command
    .description("look at the database, the server and the upstreams; say what is wrong and how to mend it; exits 1 when something is")
    .option("--data-dir <folder>", "whose database (default: REMIT_DATA_DIR, else .remit here)")
    .action((options: { dataDir?: string }) => run((frame) => doctor(frame, options)));
  example(command, "remit doctor", "remit doctor --json");
}

async function doctor(frame: Frame, options: { dataDir?: string }): Promise<number> {
  const { examine } = await import("@remit/server");
  const databaseUrl = frame.around.env["DATABASE_URL"];
  const findings: Finding[] = [
    ...(await examine({
      dataFolder: chosenDataDir(frame.around, options.dataDir),
      ...(databaseUrl === undefined || databaseUrl === "" ? {} : { url: databaseUrl }),
    })),
    await examineSandbox(),
    ...(await examineServer(frame)),
    ...(await examineCredentials(frame)),
    ...(await examineAnchors(frame)),
  ];
  const { terminal } = frame;
  frame.terminal.answer({ findings }, () =>
    findings.flatMap((finding) => [
      `${finding.ok ? terminal.style("green", "✓") : terminal.style("red", "✗")} ${finding.check}: ${safeLine(finding.message)}`,
      ...(finding.fix === null ? [] : [`    ${safeLine(finding.fix)}`]),
    ]),
  );
  return findings.every((finding) => finding.ok) ? 0 : 1;
}

/** Not being able to contain programs is no fault, but nobody should have to find out. */
async function examineSandbox(): Promise<Finding> {
  const { by, why } = await examineMachine();
  const processes =
    processesHeldBy() === null ? "; how many processes they start cannot be held here (it takes Linux 6.14, or Remit not as root)" : "";
  if (by !== null)
    return { check: "sandbox", ok: true, message: `programs that Remit starts are contained by ${why}${processes}`, fix: null };
  return {
    check: "sandbox",
    ok: true,
    message: `this machine contains nothing: agents and stdio upstreams can do what Remit can, node programs nearly so (${why})`,
    fix: "On Linux, install bubblewrap, or allow user namespaces. An upstream with sandbox.mode: required is not started here.",
  };
}

async function examineServer(frame: Frame): Promise<Finding[]> {
  let client: HttpClient;
  let ready: { status: number; text: string };
  try {
    client = await frame.client();
    ready = await client.raw("GET", "/readyz");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [{ check: "remit", ok: false, message, fix: "Start one with: remit up" }];
  }
  if (ready.status !== 200) {
    return [
      {
        check: "remit",
        ok: false,
        message: `${client.url} is not ready: ${ready.text.slice(0, 500)}`,
        fix: "The server's own output says why.",
      },
    ];
  }
  const server = { check: "remit", ok: true, message: `${client.url} is ready`, fix: null };
  try {
    const { items } = await client.send({ path: "/v1/upstreams", response: healthSchema });
    return [server, ...items.flatMap(upstreamFindings)];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [server, { check: "upstreams", ok: false, message, fix: "Log in, so that they can be asked for." }];
  }
}

/** Says nothing where nobody can be asked: that is said already. */
async function examineCredentials(frame: Frame): Promise<Finding[]> {
  try {
    const client = await frame.client();
    const { items } = await client.send({ path: "/v1/credentials", response: z.object({ items: z.array(credentialViewSchema) }) });
    return items.map(({ name, from, use, upstreams, problem, remark }) => ({
      check: `credential ${name}`,
      ok: problem === null,
      message: `${from} shown as ${use} to ${upstreams.join(", ") || "no upstream"}${remark === null ? "" : `. ${remark}`}`,
      fix: problem,
    }));
  } catch {
    return [];
  }
}

/** Having no witness is no fault, but nobody should take an unwatched ledger for a watched one. */
async function examineAnchors(frame: Frame): Promise<Finding[]> {
  try {
    const client = await frame.client();
    const view = await client.send({ path: "/v1/audit/anchors", response: anchorsViewSchema });
    const ledger: Finding = {
      check: "ledger",
      ok: view.splitViews.length === 0 && (view.quorum === 0 || view.status === "WITNESSED"),
      message: `${anchorWords(view)}${view.behind > 0 && view.status === "WITNESSED" ? `; ${view.behind} entries have come since` : ""}`,
      fix:
        view.splitViews.length > 0
          ? "Somebody outside holds a checkpoint that contradicts this ledger. Keep both notes (remit audit anchors --json) and find out who changed it."
          : view.quorum === 0
            ? "Ask somebody else to run a witness: remit witness init; then name it in the file of REMIT_WITNESS_POLICY."
            : null,
    };
    const others = [
      ...view.witnesses.map(({ name, problem }) => ({ name: `witness ${name}`, problem })),
      ...view.sinks.map(({ place, problem }) => ({ name: place, problem })),
    ];
    return [
      ledger,
      ...others.flatMap(({ name, problem }) =>
        problem === null ? [] : [{ check: name, ok: false, message: problem, fix: "It is tried again; see: remit audit anchors" }],
      ),
    ];
  } catch {
    return [];
  }
}
