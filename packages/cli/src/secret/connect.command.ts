import { setTimeout as sleep } from "node:timers/promises";
import { begunConnectionSchema, connectionViewSchema, RemitError } from "@remit/contract";
import type { BegunConnection, ConnectionView } from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { pageSchema } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { table } from "../terminal/table.ts";
import { ago } from "../terminal/time.ts";

const pollMs = 1_000;
const patienceMs = 10 * 60_000;

export function defineConnect(command: Command, run: Run): void {
  command
    .description("let Remit in at an upstream, by a consent that you give in a browser")
    .argument("[upstream]", "without it: where somebody has consented")
    .option("--credential <name>", "which of its credentials, where several want consent")
    .option("--no-wait", "do not wait for the consent")
    .option("--disconnect", "forget what was granted", false)
    .action((upstream: string | undefined, options: Options) => run((frame) => connect(frame, upstream, options)));
  example(command, "remit connect crm", "remit connect", "remit connect crm --disconnect");
}

type Options = { credential?: string; wait: boolean; disconnect: boolean };

async function connect(frame: Frame, upstream: string | undefined, options: Options): Promise<number> {
  if (upstream === undefined) return await list(frame);
  const client = await frame.client();
  const body = { upstream, ...(options.credential === undefined ? {} : { credential: options.credential }) };
  if (options.disconnect) {
    await client.send({ method: "POST", path: "/v1/connections/disconnect", body, response: z.unknown() });
    frame.terminal.answer({ upstream, disconnected: true }, () => [`Disconnected ${upstream}.`]);
    return 0;
  }
  const before = new Date().toISOString();
  const begun = await client.send({ method: "POST", path: "/v1/connections", body, response: begunConnectionSchema });
  frame.terminal.answer(begun, () => ["Open this in your browser:", begun.page ?? begun.authorizationUrl ?? ""]);
  // One's own consent is finished in one's own browser; only who operates Remit may look at all of them.
  if (!options.wait || begun.person !== null || frame.terminal.json) return 0;
  frame.terminal.say("Waiting for the consent; Ctrl-C does not take it back.");
  await consented(frame, begun, before);
  frame.terminal.say(`Connected ${upstream}.`);
  return 0;
}

async function consented(frame: Frame, begun: BegunConnection, since: string): Promise<void> {
  const { asked } = frame.around.interruption();
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    const found = (await read(frame)).find(({ upstream, credential }) => upstream === begun.upstream && credential === begun.credential);
    if (found?.state === "connected" && (found.connectedAt ?? "") > since) return;
    await sleep(pollMs, undefined, { signal: asked });
  }
  throw new RemitError(
    "credential-missing",
    `Nobody has consented for ${begun.upstream} yet; begin again with: ${frame.hint(`connect ${begun.upstream}`)}`,
  );
}

async function list(frame: Frame): Promise<number> {
  const items = await read(frame);
  const now = Date.now();
  frame.terminal.answer({ items, next: null }, () =>
    items.length === 0
      ? ["No upstream has asked for a consent."]
      : table<ConnectionView>(
          items,
          [
            { title: "UPSTREAM", value: (row) => row.upstream },
            { title: "CREDENTIAL", value: (row) => row.credential },
            { title: "WHOSE", value: (row) => row.person ?? "everybody's" },
            { title: "STATE", value: (row) => row.state },
            { title: "SINCE", value: (row) => (row.connectedAt === null ? "" : ago(row.connectedAt, now)) },
            { title: "WHY, OR WHAT IS MISSING", value: (row) => row.reason ?? row.wanted.join(" "), cut: true },
          ],
          frame.terminal.columns,
        ),
  );
  return items.some(({ state }) => state !== "connected") ? 1 : 0;
}

async function read(frame: Frame): Promise<ConnectionView[]> {
  const client = await frame.client();
  return (await client.send({ path: "/v1/connections", response: pageSchema(connectionViewSchema) })).items;
}
