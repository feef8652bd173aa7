import { fileURLToPath } from "node:url";
import type { JsonObject, SandboxSpec, UpstreamSpec } from "@remit/contract";
import { upstreamSpecSchema } from "@remit/contract";
import { pino } from "pino";
import type { UpstreamFleet, UpstreamsDeps } from "./upstreams.service.ts";
import { createUpstreams } from "./upstreams.service.ts";
import type { OfferedTool, UpstreamCall } from "./upstreams.ts";

export type FixtureName = "fixture-server" | "legacy-server" | "raw-server";

/** The specification of a fixture of this folder, as an upstream of that name. What contains it is tested by itself, and is off. */
export function fixtureSpec(
  name: string,
  fixture: FixtureName,
  args: string[] = [],
  more: Partial<UpstreamSpec> = {},
  sandbox: Partial<SandboxSpec> = { mode: "off" },
): UpstreamSpec {
  const file = fileURLToPath(new URL(`./fixtures/${fixture}.ts`, import.meta.url));
  return upstreamSpecSchema.parse({
    kind: "upstream",
    name,
    owner: "ada",
    transport: { type: "stdio", command: process.execPath, args: [file, ...args], sandbox },
    ...more,
  });
}

export type TestFleet = UpstreamFleet & {
  /** What each upstream has said since the start, and the next time it says something. */
  nextOffer(upstream: string): Promise<readonly OfferedTool[]>;
  log: Record<string, unknown>[];
  [Symbol.asyncDispose](): Promise<void>;
};

export function openFleet(specs: UpstreamSpec[], more: Partial<UpstreamsDeps> = {}): TestFleet {
  const log: Record<string, unknown>[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) });
  const fleet = createUpstreams({
    logger,
    now: () => new Date(),
    rootDir: process.cwd(),
    backoff: { firstMs: 20, maxMs: 100, stableAfterMs: 10_000 },
    graceMs: 300,
    ...more,
  });
  const waiting: { upstream: string; resolve: (tools: readonly OfferedTool[]) => void }[] = [];
  fleet.onOffered((upstream, tools) => {
    for (const [index, waiter] of [...waiting.entries()].reverse()) {
      if (waiter.upstream !== upstream) continue;
      waiting.splice(index, 1);
      waiter.resolve(tools);
    }
  });
  fleet.reconcile(specs);
  return {
    ...fleet,
    nextOffer: (upstream) => new Promise((resolve) => void waiting.push({ upstream, resolve })),
    log,
    [Symbol.asyncDispose]: () => fleet.stop(),
  };
}

/** Calls with a signal of its own and a deadline that no test should reach. */
export function callOf(
  upstream: string,
  tool: string,
  args: JsonObject = {},
  signal: UpstreamCall["signal"] = new AbortController().signal,
): UpstreamCall {
  return { upstream, tool, arguments: args, timeoutMs: 50_000, signal };
}

/** The text of a result's first item. */
export function firstText(result: { content: { [key: string]: unknown }[] }): string {
  return String(result.content[0]?.["text"]);
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
