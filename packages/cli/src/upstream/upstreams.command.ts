import type { Command } from "commander";
import { z } from "zod";
import { pageSchema } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { table } from "../terminal/table.ts";
import { ago } from "../terminal/time.ts";

/** What the server says of an upstream; it may come to say more. */
const healthSchema = z.looseObject({
  upstream: z.string(),
  state: z.enum(["starting", "ready", "down"]),
  since: z.string(),
  restarts: z.int(),
  error: z.string().nullable(),
  stderr: z.array(z.string()),
  circuits: z
    .array(z.object({ environment: z.string(), tool: z.string(), state: z.enum(["open", "half-open"]), until: z.string().nullable() }))
    .default([]),
  probe: z.object({ at: z.string(), durationMs: z.int(), error: z.string().nullable() }).nullable().default(null),
});
type Health = z.infer<typeof healthSchema>;

export function defineUpstreams(command: Command, run: Run): void {
  command
    .description("how the servers and APIs behind Remit are; exits 3 when one is down or a tool is not called for now")
    .action(() => run(listUpstreams));
  example(command, "remit upstreams", "remit upstreams --json | jq '.items[] | select(.state == \"down\")'");
}

async function listUpstreams(frame: Frame): Promise<number> {
  const client = await frame.client();
  const { items } = await client.send({ path: "/v1/upstreams", response: pageSchema(healthSchema) });
  const now = Date.now();
  frame.terminal.answer({ items }, () =>
    items.length === 0
      ? ["No upstream is registered."]
      : [
          ...table(
            items,
            [
              { title: "UPSTREAM", value: (row) => row.upstream },
              { title: "STATE", value: (row) => row.state },
              { title: "SINCE", value: (row) => ago(row.since, now) },
              { title: "RESTARTS", value: (row) => String(row.restarts) },
              { title: "ANSWERS", value: answerWords },
              { title: "WHY", value: (row) => row.error ?? row.probe?.error ?? "", cut: true },
            ],
            frame.terminal.columns,
          ),
          ...items.flatMap((item) => item.circuits.map((circuit) => circuitWords(item, circuit))),
        ],
  );
  return items.every(({ state, circuits, probe }) => state !== "down" && circuits.length === 0 && (probe?.error ?? null) === null) ? 0 : 3;
}

/** Whether it answered when it was last asked, and how fast. */
function answerWords({ probe }: Health): string {
  if (probe === null) return "";
  return probe.error === null ? `${probe.durationMs} ms` : "no";
}

function circuitWords({ upstream }: Health, { environment, tool, state, until }: Health["circuits"][number]): string {
  const where = environment === "" ? "" : ` in ${environment}`;
  const next = state === "open" ? `not called until ${until ?? "its next trial"}` : "one call at a time is tried";
  return `${upstream}__${tool}${where} keeps failing: ${next}`;
}
