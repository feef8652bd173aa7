import { approvalViewSchema, faultViewSchema, haltViewSchema, runViewSchema } from "@remit/contract";
import type { Command } from "commander";
import type { z } from "zod";
import { query } from "../client/http-client.ts";
import { pageSchema } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { scopeText } from "../fault/fault.command.ts";
import { safeLine } from "../terminal/safe-text.ts";

export function defineStatus(command: Command, run: Run): void {
  command.description("what is running, waiting and halted; exits 6 when something is halted").action(() => run(status));
  example(command, "remit status", "remit status --json");
}

async function status(frame: Frame): Promise<number> {
  const client = await frame.client();
  const ready = await client.raw("GET", "/readyz");
  const read = <Item extends z.ZodType>(path: string, item: Item) => client.send({ path, response: pageSchema(item) });
  const [runs, approvals, halts, faults] = await Promise.all([
    read(`/v1/runs${query({ state: "running", limit: 200 })}`, runViewSchema),
    read(`/v1/approvals${query({ state: "pending", limit: 200 })}`, approvalViewSchema),
    read("/v1/halts", haltViewSchema),
    read("/v1/faults", faultViewSchema),
  ]);
  const isReady = ready.status === 200;
  const more = (page: { items: unknown[]; next: string | null }) => `${page.items.length}${page.next === null ? "" : "+"}`;
  frame.terminal.answer(
    { url: client.url, ready: isReady, running: runs.items, waiting: approvals.items, halts: halts.items, faults: faults.items },
    () => [
      `server   ${client.url}, ${isReady ? "ready" : `not ready: ${safeLine(ready.text).slice(0, 500)}`}`,
      `running  ${more(runs)}`,
      `waiting  ${more(approvals)}`,
      `halted   ${halts.items.length === 0 ? "nothing" : halts.items.map((halt) => `${halt.mode} of ${halt.scope.type} (${safeLine(halt.reason)})`).join(", ")}`,
      // Said only when there is one: nobody should take it for a real outage.
      ...faults.items.map(
        (fault) => `fault    ${fault.kind} of ${scopeText(fault)} in ${fault.environment}, ${fault.state} (${safeLine(fault.reason)})`,
      ),
    ],
  );
  if (approvals.items.length > 0) frame.terminal.say(`next: ${frame.hint("approvals list")}`);
  if (halts.items.length > 0) return 6;
  return isReady ? 0 : 3;
}
