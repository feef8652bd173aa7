import { resolve } from "node:path";
import type { UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { enveloped, statelessVersion } from "../mcp/mcp-protocol.ts";
import { childEnvironment } from "./child-environment.ts";
import { startChild } from "./child-process.ts";
import { createRetirement } from "./retirement.ts";
import type { ConnectDeps, Connection } from "./connection.ts";
import { openStdioChannel } from "./stdio-channel.ts";
import { createStderrRing } from "./stderr-ring.ts";
import type { Negotiation } from "./upstream-client.ts";
import { createUpstreamClient } from "./upstream-client.ts";

/**
 * Starts a stdio upstream and shakes hands with it, in the newest revision that both speak.
 * @throws RemitError `upstream-unavailable` | `upstream-timeout` | `invalid-configuration`, with its last words as issues
 */
export async function connectStdio(spec: UpstreamSpec, deps: ConnectDeps): Promise<Connection> {
  if (deps.client !== undefined) return await open(spec, deps, "legacy");
  const known = deps.era.get(spec.name);
  if (known !== undefined) return await open(spec, deps, known);
  try {
    return await open(spec, deps, "auto");
  } catch (error) {
    // Some old servers exit on any request before `initialize`, the question for their revision included.
    if (!RemitError.is(error) || error.code !== "upstream-unavailable" || deps.signal.aborted) throw error;
    return await open(spec, deps, "legacy");
  }
}

async function open(spec: UpstreamSpec, deps: ConnectDeps, negotiation: Negotiation): Promise<Connection> {
  const { transport } = spec;
  if (transport.type !== "stdio") throw new Error(`upstream ${spec.name} is not a stdio upstream`);
  const log = deps.logger.child({ upstream: spec.name });
  const stderr = createStderrRing(transport.env, (line) => log.debug({ stderr: line }, "upstream wrote to stderr"));
  const lease = await deps.access.lease(undefined, deps.signal);
  const child = await startChild({
    command: transport.command,
    args: transport.args,
    cwd: resolve(deps.rootDir, transport.cwd ?? "."),
    env: { ...childEnvironment(deps.environment, transport), ...lease?.env },
    graceMs: deps.graceMs,
  }).catch((error: unknown) => {
    throw failure("upstream-unavailable", spec, `cannot be started: ${error instanceof Error ? error.message : String(error)}`, []);
  });
  const retiring = createRetirement(lease?.ended, () => child.stop());
  child.onStderr((chunk) => stderr.push(chunk));
  let ended: string | null = null;
  const closedListeners: ((reason: string) => void)[] = [];
  const channel = openStdioChannel(spec.name, child, {
    exclusive: deps.client !== undefined,
    onNoise: (what) => log.warn({ pid: child.pid }, `upstream ${what}`),
  });
  child.onEnded((how) => {
    ended = how;
    retiring.done();
    for (const listener of closedListeners) listener(how);
  });

  const client = createUpstreamClient(negotiation, deps.client?.capabilities ?? {});
  client.onError((error) => log.debug({ err: error }, "upstream connection reported an error"));
  const giveUp = () => void child.stop();
  deps.signal.addEventListener("abort", giveUp, { once: true });
  try {
    deps.signal.throwIfAborted();
    await client.connect(channel.transport, deps.connectTimeoutMs);
  } catch (error) {
    const exited = ended;
    await child.stop();
    const why = exited ?? (error instanceof Error ? error.message : String(error));
    throw failure(
      exited === null && client.timedOut(error) ? "upstream-timeout" : "upstream-unavailable",
      spec,
      `could not be connected: ${why}`,
      stderr.lines(),
      error,
    );
  } finally {
    deps.signal.removeEventListener("abort", giveUp);
  }
  const protocolVersion = client.protocolVersion();
  const stateless = protocolVersion === statelessVersion;
  if (deps.client === undefined) deps.era.set(spec.name, stateless ? "auto" : "legacy");

  return {
    protocolVersion,
    capabilities: client.capabilities(),
    speaksHandshake: client.speaksHandshake(),
    stale: lease?.ended,
    request: (method, params, options) =>
      retiring.during(channel.request(method, stateless ? enveloped(params, options.capabilities) : params, options)),
    notify: (method, params) => channel.notify(method, params),
    onClosed(listener) {
      if (ended === null) closedListeners.push(listener);
      else listener(ended);
    },
    onNotification: (listener) => channel.onNotification(listener),
    stderr: () => stderr.lines(),
    close: () => child.stop(),
  };
}

function failure(
  code: "upstream-unavailable" | "upstream-timeout",
  spec: UpstreamSpec,
  what: string,
  stderr: readonly string[],
  cause?: unknown,
): RemitError {
  const lastWords = stderr.slice(-5).map((line) => ({ message: `stderr: ${line}` }));
  return new RemitError(code, `upstream "${spec.name}" ${what}`, { cause, issues: lastWords });
}
