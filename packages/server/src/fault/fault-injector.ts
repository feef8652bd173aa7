import { setTimeout as delay } from "node:timers/promises";
import { RemitError, type ToolResult } from "@remit/contract";
import { type Fault, canonicalJson, driftedResult, faultFor, partialResult, type Registry } from "@remit/core";
import { httpStatusKey } from "../upstream/upstream-fault.ts";
import type { UpstreamCall } from "../upstream/upstreams.ts";
import type { Faults } from "./faults.ts";

type Send = (call: UpstreamCall) => Promise<ToolResult>;

/** Answers that a stale fault gives again. Fewer than this are kept for each server. */
const maxRemembered = 1_000;

/**
 * Lets calls meet the faults in force, where the upstream would be: what comes after it (breaker, retries, the check of the result, the
 * outcome) sees what it would see of a real one. Only the entry in the ledger says that it was injected.
 */
export function createFaultInjector(options: {
  faults: Faults;
  registry: { current(): Registry };
  now: () => Date;
  random?: () => number;
}): (call: UpstreamCall, send: Send) => Promise<ToolResult> {
  const random = options.random ?? Math.random;
  const remembered = new Map<string, ToolResult>();

  function met(call: UpstreamCall): Fault | null {
    const faults = options.faults.current();
    const environment = call.by?.environment;
    if (faults.length === 0 || environment === undefined) return null;
    const isProduction = (options.registry.current().environments.get(environment)?.type ?? "production") === "production";
    const subject = { environment, isProduction, upstream: call.upstream, tool: call.tool, isRead: call.effect === "read" };
    return faultFor(faults, subject, options.now().getTime(), random());
  }

  async function disturbed(fault: Fault, call: UpstreamCall, send: Send): Promise<ToolResult> {
    call.onInjected?.({ fault: fault.id, kind: fault.kind });
    switch (fault.kind) {
      case "timeout":
        await waited(call, call.timeoutMs);
        throw late(call);
      case "error":
        return {
          content: [{ type: "text", text: "HTTP 503: the service is not available" }],
          isError: true,
          _meta: { [httpStatusKey]: 503 },
        };
      case "slow":
        await waited(call, Math.min(fault.delayMs, call.timeoutMs));
        if (fault.delayMs >= call.timeoutMs) throw late(call);
        return await send({ ...call, timeoutMs: call.timeoutMs - fault.delayMs });
      case "partial":
        return partialResult(await send(call));
      case "schema-drift":
        return driftedResult(await send(call));
      case "stale": {
        // What one agent was answered is nobody else's.
        const key = canonicalJson([fault.id, call.by?.agent ?? "", call.by?.person ?? "", call.tool, call.arguments]);
        const known = remembered.get(key);
        if (known !== undefined) return known;
        const first = await send(call);
        if (remembered.size >= maxRemembered) remembered.clear();
        remembered.set(key, first);
        return first;
      }
    }
  }

  return (call, send) => {
    const fault = met(call);
    return fault === null ? send(call) : disturbed(fault, call, send);
  };
}

async function waited(call: UpstreamCall, ms: number): Promise<void> {
  try {
    await delay(ms, undefined, { signal: call.signal });
  } catch (cause) {
    throw new RemitError("cancelled", `the call to upstream "${call.upstream}" was cancelled`, { cause });
  }
}

function late(call: UpstreamCall): RemitError {
  return new RemitError("upstream-timeout", `upstream "${call.upstream}" did not answer within ${call.timeoutMs} ms`);
}
