import { setTimeout as delay } from "node:timers/promises";
import {
  entryMeanings,
  entryTypes,
  errorTable,
  eventTypePrefix,
  publisherViewSchema,
  RemitError,
  sequenceOf,
  streamedEventSchema,
} from "@remit/contract";
import type { ErrorCode, PublisherView, StreamedEvent } from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { query } from "../client/http-client.ts";
import type { HttpClient } from "../client/http-client.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeJson, safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { readServerSentEvents } from "./read-events.ts";

type TailOptions = { follow?: true; types?: string; run?: string; agent?: string; after?: string; limit?: string };

export function defineEvents(command: Command, run: Run): void {
  command.description("what happens, as it happens: the ledger's entries as CloudEvents");
  example(command, "remit events tail --follow", "remit events types");
  const tail = command
    .command("tail")
    .description("the newest events, and with --follow those to come; with --json one event to a line")
    .option("--follow", "go on until Ctrl-C, through restarts of the server")
    .option("--types <types>", "of these types, divided by commas; approval-* is all about approvals")
    .option("--run <id>", "of this run")
    .option("--agent <name>", "about this agent")
    .option("--after <sequence>", "begin after the event of this sequence number; -1: with the first of all")
    .option("--limit <n>", "how many at most where it does not follow, 1 to 200")
    .action((options: TailOptions) => run((frame) => tailEvents(frame, options)));
  example(tail, "remit events tail", "remit events tail --follow --types approval-*,action-denied", "remit events tail --after -1 --json");
  command
    .command("publishers")
    .description("how far events have been published to brokers")
    .action(() => run(listPublishers));
  const republish = command
    .command("republish")
    .argument("<publisher>", "as in: remit events publishers")
    .description("publish from another place on, after a broker has lost events; each goes out under the id that it had")
    .requiredOption("--from <sequence>", "the sequence number of the next event, from 0 on")
    .action((publisher: string, options: { from: string }) => run((frame) => movePublisher(frame, publisher, options.from)));
  example(republish, "remit events republish nats:REMIT --from 0");
  command
    .command("types")
    .description("every type of event, and what it says")
    .action(() => run((frame) => listTypes(frame)));
}

async function listPublishers(frame: Frame): Promise<void> {
  const client = await frame.client();
  const { items } = await client.send({ path: "/v1/publishers", response: z.object({ items: z.array(publisherViewSchema) }) });
  const layout = [
    { title: "PUBLISHER", value: ({ name }: PublisherView) => safeLine(name) },
    { title: "NEXT", value: ({ place }: PublisherView) => String(place), align: "right" as const },
    { title: "BEHIND", value: ({ behind }: PublisherView) => String(behind), align: "right" as const },
    { title: "ACTIVE", value: ({ active }: PublisherView) => (active ? "yes" : "no") },
  ];
  frame.terminal.answer({ items, next: null }, () => table(items, layout, frame.terminal.columns));
  if (items.length === 0) frame.terminal.say("Nothing is published to a broker: REMIT_NATS_URL names one.");
}

async function movePublisher(frame: Frame, publisher: string, from: string): Promise<void> {
  if (!/^\d{1,15}$/.test(from)) throw new RemitError("invalid-request", `--from is a sequence number from 0 on, not "${from}"`);
  const client = await frame.client();
  const path = `/v1/publishers/${encodeURIComponent(publisher)}/move`;
  const moved = await client.send({ method: "POST", path, body: { from: Number(from) }, response: publisherViewSchema });
  frame.terminal.answer(moved, () => [`${safeLine(moved.name)} goes on with event ${moved.place}, and is ${moved.behind} behind.`]);
}

function listTypes(frame: Frame): Promise<void> {
  const items = entryTypes.map((type) => ({ type: eventTypePrefix + type, says: entryMeanings[type] }));
  frame.terminal.answer({ items, next: null }, () =>
    table(
      items,
      [
        { title: "TYPE", value: ({ type }) => type },
        { title: "SAYS", value: ({ says }) => says, cut: true },
      ],
      frame.terminal.columns,
    ),
  );
  return Promise.resolve();
}

async function tailEvents(frame: Frame, options: TailOptions): Promise<number> {
  const client = await frame.client();
  const filter = { types: options.types, run: options.run, agent: options.agent };
  if (options.follow === true) return follow(frame, client, { ...filter, after: options.after });
  const events = await client.send({
    path: `/v1/events${query({ ...filter, after: options.after, limit: options.limit })}`,
    response: z.array(streamedEventSchema),
  });
  for (const event of events) tell(frame, event);
  const last = events.at(-1);
  if (last === undefined) frame.terminal.say("No events.");
  else if (options.after !== undefined) frame.terminal.say(`more: --after ${sequenceOf(last)}`);
  return 0;
}

async function follow(frame: Frame, client: HttpClient, from: Record<string, string | undefined>): Promise<number> {
  const { asked } = frame.around.interruption();
  let lastId: string | null = null;
  let pause = 250;
  while (!asked.aborted) {
    try {
      // Once an id is known it says where to go on; what was asked for at first lies behind.
      const target = `/v1/events${query(from)}`;
      for await (const { id, event, data } of readServerSentEvents(await client.stream(target, lastId, asked))) {
        if (event === "end") throw endOf(data);
        if (data !== null) tell(frame, streamedEventSchema.parse(JSON.parse(data)));
        lastId = id ?? lastId;
        pause = 250;
      }
      if (!asked.aborted) frame.terminal.warn("the server closed the stream; connecting again");
    } catch (error) {
      if (asked.aborted) break;
      // What will not change by itself ends it: no session any more, a place that is not in this ledger.
      if (!RemitError.is(error) || errorTable[error.code].exit !== 3) {
        if (!(error instanceof TypeError)) throw error;
      }
      frame.terminal.warn(`${error.message} Connecting again.`);
    }
    await delay(pause, undefined, { signal: asked }).catch(() => {});
    pause = Math.min(pause * 2, 5_000);
  }
  return 0;
}

function endOf(data: string | null): RemitError {
  const said = z.object({ code: z.string(), detail: z.string() }).safeParse(data === null ? null : JSON.parse(data));
  if (!said.success) return new RemitError("server-unavailable", "The server ended the stream.");
  const known = Object.hasOwn(errorTable, said.data.code);
  return new RemitError(known ? (said.data.code as ErrorCode) : "server-unavailable", said.data.detail);
}

function tell(frame: Frame, event: StreamedEvent): void {
  if (frame.terminal.json) return frame.terminal.line(safeJson(event));
  const { payloads: _commitments, ...facts } = event.data;
  const type = event.type.slice(eventTypePrefix.length);
  const words = [String(sequenceOf(event)), event.time, type, event.actor, event.subject ?? "", JSON.stringify(facts)];
  frame.terminal.line(safeLine(words.filter((word) => word !== "").join("  ")));
}
