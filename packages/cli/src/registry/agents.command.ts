import { agentSecretSchema, agentSummarySchema, agentViewSchema, issuedSecretSchema } from "@remit/contract";
import type { AgentView } from "@remit/contract";
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

const tierWords = ["observe", "propose", "act outside production", "act in production"] as const;

export function defineAgents(command: Command, run: Run): void {
  const list = withPages(command.command("list").description("agents, who answers for them, and whether they may act")).action(
    (options: PageOptions) => run((frame) => listAgents(frame, options)),
  );
  example(list, "remit agents list");
  example(command, "remit agents list", "remit agents show support-triage");
  command
    .command("show <agent>")
    .description("one agent: limits, tools, version")
    .action((name: string) =>
      run(async (frame) => {
        const client = await frame.client();
        const agent = await client.send({ path: path`/v1/agents/${name}`, response: agentViewSchema });
        frame.terminal.answer(agent, () => agentWords(agent));
      }),
    );
  const secret = command.command("secret").description("client secrets of an agent");
  secret
    .command("new <agent>")
    .description("make one; it is shown once")
    .action((name: string) =>
      run(async (frame) => {
        const client = await frame.client();
        const made = await client.send({ method: "POST", path: path`/v1/agents/${name}/secrets`, body: {}, response: issuedSecretSchema });
        frame.terminal.answer(made, () => [
          `client_id       ${made.clientId}`,
          `client_secret   ${made.clientSecret}`,
          `token_endpoint  ${made.tokenEndpoint}`,
          `resource        ${made.resource}`,
          `expires         ${made.expiresAt}`,
        ]);
        frame.terminal.say("It is shown this once. Older secrets go on working until they are retired: remit agents secret list " + name);
      }),
    );
  secret
    .command("list <agent>")
    .description("which there are, never what they are")
    .action((name: string) =>
      run(async (frame) => {
        const client = await frame.client();
        const page = await client.send({ path: path`/v1/agents/${name}/secrets`, response: pageSchema(agentSecretSchema) });
        frame.terminal.answer(page, () =>
          page.items.length === 0
            ? ["No secret."]
            : page.items.map((item) =>
                safeLine(
                  `${item.id}  made ${item.createdAt} by ${item.createdBy}, ${item.retiredAt === null ? `ends ${item.expiresAt}` : `retired ${item.retiredAt}`}, ${item.lastUsedAt === null ? "never used" : `last used ${item.lastUsedAt}`}`,
                ),
              ),
        );
      }),
    );
  secret
    .command("retire <agent> <secret>")
    .description("end one; tokens made with it end as well")
    .action((name: string, id: string) =>
      run(async (frame) => {
        const client = await frame.client();
        const answer = await client.send({ method: "DELETE", path: path`/v1/agents/${name}/secrets/${id}`, response: z.unknown() });
        frame.terminal.answer(answer ?? { retired: id }, () => [`Retired ${safeLine(id)}.`]);
      }),
    );
  example(secret, "remit agents secret new support-triage");
}

async function listAgents(frame: Frame, options: PageOptions): Promise<void> {
  const client = await frame.client();
  const page = await client.send({
    path: `/v1/agents${query({ limit: options.limit, cursor: options.cursor })}`,
    response: pageSchema(agentSummarySchema),
  });
  frame.terminal.answer(page, () =>
    table(
      page.items,
      [
        { title: "AGENT", value: (row) => row.name },
        { title: "TIER", value: (row) => `${row.tier} ${tierWords[row.tier]}` },
        { title: "ANSWERS FOR IT", value: (row) => row.accountable },
        { title: "VERSION", value: (row) => row.version.slice(0, 12) },
        { title: "STATE", value: (row) => (row.suspended === null ? "active" : `suspended: ${row.suspended.reason}`), cut: true },
        { title: "PURPOSE", value: (row) => row.purpose, cut: true },
      ],
      frame.terminal.columns,
    ),
  );
  sayMore(frame, page.next);
}

function agentWords(agent: AgentView): string[] {
  const { spec } = agent;
  const list = (title: string, values: readonly string[]) =>
    values.length === 0 ? [] : [title, ...values.map((value) => `  ${safeLine(value)}`)];
  return [
    `${spec.name}: ${safeLine(spec.purpose)}`,
    `version       ${agent.version}`,
    `state         ${agent.suspended === null ? "active" : `suspended (${agent.suspended.code}): ${safeLine(agent.suspended.reason)}`}`,
    `answers       ${spec.accountable}`,
    `tier          ${spec.tier}, ${tierWords[spec.tier]}`,
    `environments  ${spec.environments.join(", ")}`,
    `policies      ${spec.policies.join(", ")}`,
    ...list("may", spec.constraints.may),
    ...list("asks", spec.constraints.asks),
    ...list("never", spec.constraints.never),
    ...list(
      "tools",
      agent.tools.map((tool) => `${tool.tool} (${tool.effect}${tool.state === "accepted" ? "" : `, ${tool.state}: blocked`})`),
    ),
  ];
}
