import {
  deadLetterSchema,
  eventTypesSchema,
  RemitError,
  webhookAttemptSchema,
  webhookTestSchema,
  webhookViewSchema,
  webhookWithSecretSchema,
} from "@remit/contract";
import type { WebhookView, WebhookWithSecret } from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { path, query } from "../client/http-client.ts";
import { pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { ago, until } from "../terminal/time.ts";

type AddOptions = { types?: string; agent?: string; description?: string; from?: string };
type ReplayOptions = { from?: string; event?: string };

export function defineWebhook(command: Command, run: Run): void {
  command.description("send events to other systems, by Standard Webhooks");
  example(command, "remit webhook list", "remit webhook test whk_0190…", "remit webhook replay whk_0190… --from 1042");
  const add = command
    .command("add <url>")
    .description("send events to an https address; prints the secret that signs them, this once")
    .option("--types <types>", "only these, divided by commas; approval-* is all about approvals")
    .option("--agent <name>", "only what is about this agent")
    .option("--description <text>", "what it is for")
    .option("--from <sequence>", "begin with the event of this sequence number, 0 for the first; by itself with what happens from now on")
    .action((url: string, options: AddOptions) => run((frame) => addWebhook(frame, url, options)));
  example(add, 'remit webhook add https://tickets.example/remit --types approval-*,halt-* --description "service desk"');
  withPages(command.command("list").description("where events are sent, and how that goes")).action((options: PageOptions) =>
    run((frame) => listWebhooks(frame, options)),
  );
  command
    .command("show <id>")
    .description("all about one")
    .action((id: string) => run(async (frame) => showWebhook(frame, await read(frame, id))));
  command
    .command("rotate-secret <id>")
    .description("sign with a new secret; the old one signs beside it for a while")
    .option("--overlap <duration>", "for how long: 0s, 30m, 24h, 7d", "24h")
    .action((id: string, options: { overlap: string }) => run((frame) => rotateSecret(frame, id, options.overlap)));
  command
    .command("pause <id>")
    .description("send nothing for now; it is kept")
    .requiredOption("--reason <text>", "why, for the record")
    .action((id: string, options: { reason: string }) =>
      run(async (frame) => showWebhook(frame, await post(frame, path`/v1/webhooks/${id}/pause`, { reason: options.reason }))),
    );
  command
    .command("resume <id>")
    .description("go on after a pause, or after the endpoint was disabled")
    .option("--from-now", "leave out what happened meanwhile")
    .action((id: string, options: { fromNow?: true }) =>
      run(async (frame) => showWebhook(frame, await post(frame, path`/v1/webhooks/${id}/resume`, { fromNow: options.fromNow === true }))),
    );
  command
    .command("rm <id>")
    .description("send nothing more, and forget the endpoint with its secrets, its dead letters and its log")
    .action((id: string) => run((frame) => removeWebhook(frame, id)));
  command
    .command("test <id>")
    .description("send an event that says nothing, now, and say what came of it")
    .action((id: string) => run((frame) => testWebhook(frame, id)));
  command
    .command("replay <id>")
    .description("send events again, under the same ids")
    .option("--from <sequence>", "everything from this sequence number on")
    .option("--event <id>", "this one")
    .action((id: string, options: ReplayOptions) => run((frame) => replay(frame, id, options)));
  withPages(command.command("deliveries <id>").description("what was sent and what came of it, the newest first")).action(
    (id: string, options: PageOptions) => run((frame) => listDeliveries(frame, id, options)),
  );
  const dead = withPages(command.command("dead-letters <id>").description("events that were given up"))
    .option("--retry", "try them all again")
    .option("--event <id>", "with --retry: only this one")
    .action((id: string, options: PageOptions & { retry?: true; event?: string }) => run((frame) => deadLetters(frame, id, options)));
  example(dead, "remit webhook dead-letters whk_0190…", "remit webhook dead-letters whk_0190… --retry");
}

async function addWebhook(frame: Frame, url: string, options: AddOptions): Promise<void> {
  const types = options.types === undefined ? null : eventTypesSchema.safeParse(options.types);
  if (types?.success === false) throw new RemitError("invalid-request", `--types: ${types.error.issues[0]?.message ?? "is wrong"}`);
  const body = {
    url,
    types: types?.data ?? null,
    agent: options.agent ?? null,
    description: options.description ?? "",
    from: options.from === undefined ? null : place(options.from),
  };
  const client = await frame.client();
  const made = await client.send({ method: "POST", path: "/v1/webhooks", body, response: webhookWithSecretSchema });
  tellSecret(frame, made);
  frame.terminal.say(`next: ${frame.hint(`webhook test ${made.webhook.id}`)}`);
}

function tellSecret(frame: Frame, made: WebhookWithSecret): void {
  frame.terminal.answer(made, () => [`${made.webhook.id}  ${safeLine(made.webhook.url)}`, `secret  ${made.secret}`]);
  frame.terminal.say("This is the only time that the secret is shown. Give it to the endpoint, which verifies what it is sent with it.");
}

async function rotateSecret(frame: Frame, id: string, overlap: string): Promise<void> {
  const [, number, unit = "s"] = /^(\d{1,6})(s|m|h|d)?$/.exec(overlap) ?? [];
  if (number === undefined) throw new RemitError("invalid-request", `--overlap ${overlap}: expected a duration such as 30m, 24h or 7d`);
  const duration = unit === "d" ? `P${number}D` : `PT${number}${unit.toUpperCase()}`;
  const client = await frame.client();
  const target = path`/v1/webhooks/${id}/rotate-secret`;
  tellSecret(frame, await client.send({ method: "POST", path: target, body: { overlap: duration }, response: webhookWithSecretSchema }));
}

async function listWebhooks(frame: Frame, { limit, cursor }: PageOptions): Promise<void> {
  const client = await frame.client();
  const page = await client.send({ path: `/v1/webhooks${query({ limit, cursor })}`, response: pageSchema(webhookViewSchema) });
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["Events are sent nowhere. To send them: remit webhook add <url>"]
      : table(
          page.items,
          [
            { title: "WEBHOOK", value: (row) => row.id },
            { title: "STATE", value: (row) => stateWords(row) },
            { title: "TO", value: (row) => row.url, cut: true },
            { title: "TYPES", value: (row) => row.types?.join(",") ?? "all", cut: true },
            { title: "BEHIND", value: (row) => String(row.behind), align: "right" },
            { title: "WAITING", value: (row) => String(row.waiting), align: "right" },
            { title: "DEAD", value: (row) => String(row.deadLetters), align: "right" },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

function stateWords({ state, failures }: WebhookView): string {
  return state === "active" && failures > 0 ? "failing" : state;
}

function showWebhook(frame: Frame, webhook: WebhookView): void {
  const now = Date.now();
  frame.terminal.answer(webhook, () =>
    [
      `webhook       ${webhook.id}`,
      `to            ${webhook.url}`,
      ...(webhook.description === "" ? [] : [`for           ${webhook.description}`]),
      `state         ${stateWords(webhook)}${webhook.reason === null ? "" : `: ${webhook.reason}`}`,
      `types         ${webhook.types?.join(", ") ?? "all"}`,
      ...(webhook.agent === null ? [] : [`about         ${webhook.agent}`]),
      `next event    ${webhook.place}, ${webhook.behind} behind the ledger`,
      `waiting       ${webhook.waiting}`,
      `dead letters  ${webhook.deadLetters}`,
      `last success  ${webhook.lastSuccessAt === null ? "never" : ago(webhook.lastSuccessAt, now)}`,
      ...(webhook.failures === 0 ? [] : [`failures      ${webhook.failures} in a row, the last ${ago(webhook.lastFailureAt ?? "", now)}`]),
      ...webhook.secrets.map(
        ({ version, createdAt, endsAt }) =>
          `secret        version ${version}, made ${ago(createdAt, now)}${endsAt === null ? "" : `, ends ${until(endsAt, now)}`}`,
      ),
      `public key    ${webhook.publicKey}`,
      `added         ${ago(webhook.createdAt, now)} by ${webhook.createdBy}`,
    ].map(safeLine),
  );
}

async function removeWebhook(frame: Frame, id: string): Promise<number> {
  const webhook = await read(frame, id);
  if (!(await frame.confirm(`Send nothing more to ${safeLine(webhook.url)}?`))) return 1;
  const client = await frame.client();
  await client.send({ method: "DELETE", path: path`/v1/webhooks/${id}`, response: z.null() });
  frame.terminal.answer({ id, removed: true }, () => [`${id} is removed.`]);
  return 0;
}

async function testWebhook(frame: Frame, id: string): Promise<number> {
  const client = await frame.client();
  const result = await client.send({ method: "POST", path: path`/v1/webhooks/${id}/test`, response: webhookTestSchema, timeoutMs: 60_000 });
  frame.terminal.answer(result, () => [
    result.delivered ? `Taken with ${result.status ?? ""} after ${result.durationMs} ms.` : `Not taken: ${safeLine(result.reason ?? "")}.`,
  ]);
  return result.delivered ? 0 : 1;
}

async function replay(frame: Frame, id: string, { from, event }: ReplayOptions): Promise<void> {
  if ((from === undefined) === (event === undefined))
    throw new RemitError("invalid-request", "Say either --from <sequence> or --event <id>");
  const body = event === undefined ? { from: place(from ?? "") } : { event };
  showWebhook(frame, await post(frame, path`/v1/webhooks/${id}/replay`, body));
}

async function listDeliveries(frame: Frame, id: string, { limit, cursor }: PageOptions): Promise<void> {
  const client = await frame.client();
  const page = await client.send({
    path: `${path`/v1/webhooks/${id}/deliveries`}${query({ limit, cursor })}`,
    response: pageSchema(webhookAttemptSchema),
  });
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["Nothing was sent yet."]
      : table(
          page.items,
          [
            { title: "AT", value: (row) => row.at },
            { title: "SEQ", value: (row) => String(row.sequence), align: "right" },
            { title: "EVENT", value: (row) => row.event },
            { title: "TYPE", value: (row) => row.type.replace("dev.remit.", ""), cut: true },
            { title: "TRY", value: (row) => String(row.attempt), align: "right" },
            { title: "RESULT", value: (row) => (row.delivered ? `taken, ${row.status ?? ""}` : (row.reason ?? "")), cut: true },
            { title: "MS", value: (row) => String(row.durationMs), align: "right" },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

async function deadLetters(frame: Frame, id: string, options: PageOptions & { retry?: true; event?: string }): Promise<void> {
  const client = await frame.client();
  const target = path`/v1/webhooks/${id}/dead-letters`;
  if (options.retry === true) {
    const body = { event: options.event ?? null };
    const retried = await client.send({ method: "POST", path: `${target}/retry`, body, response: z.object({ retried: z.int() }) });
    frame.terminal.answer(retried, () => [`${retried.retried} of them wait to be sent again.`]);
    return;
  }
  const page = await client.send({
    path: `${target}${query({ limit: options.limit, cursor: options.cursor })}`,
    response: pageSchema(deadLetterSchema),
  });
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["No event was given up."]
      : table(
          page.items,
          [
            { title: "SEQ", value: (row) => String(row.sequence), align: "right" },
            { title: "EVENT", value: (row) => row.event },
            { title: "TYPE", value: (row) => row.type.replace("dev.remit.", ""), cut: true },
            { title: "RUN", value: (row) => row.run ?? "" },
            { title: "TRIES", value: (row) => String(row.attempts), align: "right" },
            { title: "LAST", value: (row) => row.lastAt },
            { title: "WHY", value: (row) => row.reason ?? "", cut: true },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

async function read(frame: Frame, id: string): Promise<WebhookView> {
  const client = await frame.client();
  return client.send({ path: path`/v1/webhooks/${id}`, response: webhookViewSchema });
}

async function post(frame: Frame, target: string, body: unknown): Promise<WebhookView> {
  const client = await frame.client();
  return client.send({ method: "POST", path: target, body, response: webhookViewSchema });
}

function place(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new RemitError("invalid-request", `${text} is not a sequence number`);
  return Number(text);
}
