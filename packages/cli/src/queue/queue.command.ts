import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { enqueueSchema, itemStateSchema, itemViewSchema, queueViewSchema, RemitError } from "@remit/contract";
import type { Command } from "commander";

import { path, query } from "../client/http-client.ts";
import { pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { issueLine } from "../terminal/failure.ts";
import { table } from "../terminal/table.ts";

export function defineQueue(command: Command, run: Run): void {
  const list = command
    .command("list")
    .description("queues and how full they are")
    .action(() => run(listQueues));
  example(list, "remit queue list");
  const show = withPages(command.command("show <queue>").description("the items of one queue"))
    .option("--state <state>", `only these: ${itemStateSchema.options.join(", ")}`)
    .action((name: string, options: PageOptions & { state?: string }) => run((frame) => showQueue(frame, name, options)));
  example(show, "remit queue show billing-tier1");
  const add = command
    .command("add <queue>")
    .description("add work; refused with exit 3 when the queue is full")
    .requiredOption("--subject <text>", "one line that people recognise it by")
    .option("--payload <json>", "what the agent is given: JSON, or @file, or - for stdin", "{}")
    .option("--key <key>", "the same key twice is the same item")
    .action((name: string, options: { subject: string; payload: string; key?: string }) => run((frame) => addItem(frame, name, options)));
  example(add, 'remit queue add billing-tier1 --subject "Where is my refund?" --payload \'{"ticket":"T-1042"}\' --key T-1042');
}

async function listQueues(frame: Frame): Promise<void> {
  const client = await frame.client();
  const page = await client.send({ path: "/v1/queues", response: pageSchema(queueViewSchema) });
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["There is no queue."]
      : table(
          page.items,
          [
            { title: "QUEUE", value: (row) => row.name },
            { title: "READY", value: (row) => String(row.ready), align: "right" },
            { title: "CLAIMED", value: (row) => String(row.claimed), align: "right" },
            { title: "SET ASIDE", value: (row) => String(row.setAside), align: "right" },
            { title: "AT MOST", value: (row) => (row.maxDepth === null ? "not registered" : String(row.maxDepth)), align: "right" },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

async function showQueue(frame: Frame, name: string, options: PageOptions & { state?: string }): Promise<void> {
  const client = await frame.client();
  const page = await client.send({
    path: `${path`/v1/queues/${name}/items`}${query({ state: options.state, limit: options.limit, cursor: options.cursor })}`,
    response: pageSchema(itemViewSchema),
  });
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["Nothing in it."]
      : table(
          page.items,
          [
            { title: "ITEM", value: (row) => row.id },
            { title: "STATE", value: (row) => row.state },
            { title: "TRIED", value: (row) => String(row.attempts), align: "right" },
            { title: "SUBJECT", value: (row) => row.subject, cut: true },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

async function addItem(frame: Frame, name: string, options: { subject: string; payload: string; key?: string }): Promise<void> {
  const body = enqueueSchema.safeParse({
    subject: options.subject,
    payload: await readPayload(frame, options.payload),
    ...(options.key === undefined ? {} : { key: options.key }),
  });
  if (!body.success) {
    const issues = body.error.issues.map((issue) => ({ message: issue.message, pointer: `/${issue.path.join("/")}` }));
    throw new RemitError("invalid-request", `That is no item: ${issues.map(issueLine).join("; ")}`, { issues });
  }
  const client = await frame.client();
  const item = await client.send({ method: "POST", path: path`/v1/queues/${name}/items`, body: body.data, response: itemViewSchema });
  frame.terminal.answer(item, () => [`Added ${item.id}.`]);
  frame.terminal.say(`next: ${frame.hint(`run --workflow <workflow> --queue ${name}`)}`);
}

async function readPayload(frame: Frame, text: string): Promise<unknown> {
  const json =
    text === "-"
      ? await readAll(frame.around.stdin)
      : text.startsWith("@")
        ? await readFile(resolve(frame.around.cwd, text.slice(1)), "utf8")
        : text;
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new RemitError("invalid-request", `--payload is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function readAll(stream: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}
