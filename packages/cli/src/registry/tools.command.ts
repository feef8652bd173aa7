import { RemitError, toolDifferencesSchema, toolViewSchema } from "@remit/contract";
import type { ToolDifference } from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { query } from "../client/http-client.ts";
import { pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine, safeText } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";

export function defineTools(command: Command, run: Run): void {
  const list = withPages(command.command("list").description("registered tools and whether they may be called")).action(
    (options: PageOptions) => run((frame) => listTools(frame, options)),
  );
  example(list, "remit tools list");
  const diff = command
    .command("diff [tool]")
    .description("how upstreams differ from what was accepted; exits 1 when they do")
    .action((tool: string | undefined) => run((frame) => diffTools(frame, tool)));
  example(diff, "remit tools diff", "remit tools diff support__send_email");
  const accept = command
    .command("accept <tools...>")
    .description("show the differences, ask, and accept exactly those")
    .option("--digest <sha256...>", "what was shown, one for each tool (needed where nobody can be asked)")
    .action((tools: string[], options: { digest?: string[] }) => run((frame) => acceptTools(frame, tools, options.digest)));
  example(accept, "remit tools accept support__send_email");
}

async function listTools(frame: Frame, options: PageOptions): Promise<void> {
  const client = await frame.client();
  const page = await client.send({
    path: `/v1/tools${query({ limit: options.limit, cursor: options.cursor })}`,
    response: pageSchema(toolViewSchema),
  });
  frame.terminal.answer(page, () =>
    table(
      page.items,
      [
        { title: "TOOL", value: (row) => row.tool },
        { title: "EFFECT", value: (row) => row.spec.effect },
        { title: "UNDO", value: (row) => row.spec.reversibility },
        { title: "DATA", value: (row) => row.spec.sensitivity },
        { title: "STATE", value: (row) => row.state },
        { title: "OWNER", value: (row) => row.spec.owner },
        { title: "DESCRIPTION", value: (row) => row.description ?? "", cut: true },
      ],
      frame.terminal.columns,
    ),
  );
  sayMore(frame, page.next);
  if (page.items.some((item) => item.state === "changed")) frame.terminal.say(`next: ${frame.hint("tools diff")}`);
}

async function readDifferences(frame: Frame) {
  const client = await frame.client();
  return client.send({ path: "/v1/tools/diff", response: toolDifferencesSchema, timeoutMs: 120_000 });
}

async function diffTools(frame: Frame, tool: string | undefined): Promise<number> {
  const found = await readDifferences(frame);
  const items = found.items.filter((item) => tool === undefined || item.tool === tool);
  frame.terminal.answer({ ...found, items }, () => [
    ...(items.length === 0 ? ["Every tool is as it was accepted."] : items.flatMap(differenceWords)),
    ...found.unavailable.map((one) => `${safeLine(one.upstream)} could not be asked: ${safeLine(one.reason)}`),
  ]);
  const acceptable = items.filter((item) => item.state === "changed" && item.offeredDigest !== null);
  if (acceptable.length > 0) frame.terminal.say(`next: ${frame.hint(`tools accept ${acceptable.map((item) => item.tool).join(" ")}`)}`);
  if (found.unavailable.length > 0) return 3;
  return items.length === 0 ? 0 : 1;
}

function differenceWords(item: ToolDifference): string[] {
  return [
    `${item.tool}: ${item.state}`,
    ...safeText(item.text)
      .split("\n")
      .map((line) => `  ${line}`),
    ...(item.refusal === null ? [] : [`  cannot be accepted: ${safeLine(item.refusal)}`]),
    ...(item.offeredDigest === null ? [] : [`  digest ${item.offeredDigest}`]),
    "",
  ];
}

async function acceptTools(frame: Frame, tools: readonly string[], shown: readonly string[] | undefined): Promise<number> {
  if (shown !== undefined && shown.length !== tools.length)
    throw new RemitError("invalid-request", "Give one --digest for each tool, in the same order.");
  const { items } = await readDifferences(frame);
  const chosen = tools.map((tool) => {
    const item = items.find((one) => one.tool === tool);
    if (item === undefined) throw new RemitError("not-found", `${tool} does not differ from what was accepted.`);
    if (item.offeredDigest === null)
      throw new RemitError("conflict", item.refusal ?? `There is nothing to accept for ${tool}: it is ${item.state}.`);
    return { tool, offered: item.offeredDigest, item };
  });
  if (shown === undefined) {
    if (!frame.terminal.interactive)
      throw new RemitError(
        "invalid-request",
        "Nobody can be shown this here: read remit tools diff and pass --digest with the digests that it names.",
      );
    for (const { item } of chosen) for (const line of differenceWords(item)) frame.around.stderr.write(`${line}\n`);
    if (!(await frame.confirm("Accept exactly this?"))) {
      frame.terminal.warn("Nothing was accepted.");
      return 1;
    }
  }
  const client = await frame.client();
  const answer = await client.send({
    method: "POST",
    path: "/v1/tools/accept",
    body: { tools, digests: shown ?? chosen.map((one) => one.offered) },
    response: z.unknown(),
  });
  frame.terminal.answer(answer, () => [`Accepted ${tools.join(", ")}.`]);
  return 0;
}
