import { anchorsViewSchema, checkpointViewSchema } from "@remit/contract";
import type { AnchorsView } from "@remit/contract";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { anchorWords } from "./anchor-words.ts";

/** Who outside keeps the ledger from being rewritten unseen. */
export function defineAnchors(command: Command, run: Run): void {
  const anchors = command
    .command("anchors")
    .description("who outside has seen the ledger, how far and when; exits 1 when somebody holds what contradicts it")
    .action(() => run(showAnchors));
  example(anchors, "remit audit anchors", "remit audit anchors --json");

  const checkpoint = command
    .command("checkpoint")
    .description("the newest signed checkpoint, as witnesses and verifiers take it")
    .action(() => run(showCheckpoint));
  example(checkpoint, "remit audit checkpoint > kept-elsewhere.txt", "remit audit checkpoint --json");
}

async function showAnchors(frame: Frame): Promise<number> {
  const client = await frame.client();
  const view = await client.send({ path: "/v1/audit/anchors", response: anchorsViewSchema });
  frame.terminal.answer(view, () => anchorLines(view, frame.terminal));
  return view.splitViews.length === 0 ? 0 : 1;
}

async function showCheckpoint(frame: Frame): Promise<void> {
  const client = await frame.client();
  const checkpoint = await client.send({ path: "/v1/audit/checkpoint", response: checkpointViewSchema });
  frame.terminal.answer(checkpoint, () => checkpoint.note.trimEnd().split("\n"));
  // Not among the data: the note alone is what others take.
  frame.terminal.say(anchorWords(checkpoint.anchor));
}

function anchorLines(view: AnchorsView, terminal: Terminal): string[] {
  const state = ({ problem }: { problem: string | null }): string =>
    problem === null ? "" : `  ${terminal.style("red", safeLine(problem))}`;
  const seen = (size: number | null, at: string | null): string => (size === null ? "nothing yet" : `${size} entries, ${at ?? "?"}`);
  return [
    ...view.splitViews.flatMap(({ seenAt, what, at }) => [
      `${terminal.style("red", "SPLIT VIEW")} at ${safeLine(seenAt)}, found ${at}: ${safeLine(what)}`,
      "  Both signed notes prove it to anybody: remit audit anchors --json",
    ]),
    terminal.style(view.status === "WITNESSED" && view.splitViews.length === 0 ? "green" : "yellow", anchorWords(view)),
    ...(view.behind === 0 || view.status === "UNANCHORED" ? [] : [`  ${view.behind} entries have come since`]),
    ...view.witnesses.map(
      (one) => `  witness  ${safeLine(one.name)} of ${safeLine(one.organisation)}: ${seen(one.size, one.at)}${state(one)}`,
    ),
    ...view.sinks.map((sink) => `  kept at  ${safeLine(sink.place)}: ${seen(sink.size, sink.at)}${state(sink)}`),
    ...(view.witnesses.length === 0 ? ["  No witness is configured: REMIT_WITNESS_POLICY names the file, docs/ledger.md says how"] : []),
  ];
}
