import type { Containment, Issue, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { enveloped, statelessVersion } from "../mcp/mcp-protocol.ts";
import { containUpstream } from "../sandbox/contain-upstream.ts";
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
  const known = deps.era.get(spec.name) ?? "auto";
  try {
    return await open(spec, deps, known === "perhaps-legacy" ? "legacy" : known);
  } catch (error) {
    // Some old servers exit on any request before `initialize`, the question for their revision included. Which kind this is, is
    // found out by one start an attempt, in turn.
    if (known === "perhaps-legacy") deps.era.delete(spec.name);
    else if (error instanceof Ended && !deps.era.has(spec.name)) deps.era.set(spec.name, "perhaps-legacy");
    throw error;
  }
}

/** It was started, and ended before a connection stood. */
class Ended extends RemitError {}

async function open(spec: UpstreamSpec, deps: ConnectDeps, negotiation: Negotiation): Promise<Connection> {
  const { transport } = spec;
  if (transport.type !== "stdio") throw new Error(`upstream ${spec.name} is not a stdio upstream`);
  const log = deps.logger.child({ upstream: spec.name });
  const stderr = createStderrRing(transport.env, (line) => log.debug({ stderr: line }, "upstream wrote to stderr"));
  const lease = await deps.access.lease(undefined, deps.signal);
  const env = { ...childEnvironment(deps.environment, transport), ...lease?.env };
  const contained = await containUpstream(transport, env, deps).catch((error: unknown) => {
    throw unstarted(spec, error);
  });
  const child = await startChild(contained, deps.graceMs).catch((error: unknown) => {
    throw unstarted(spec, error);
  });
  deps.onStarted(spec.name, contained.containment);
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
    const message = `upstream "${spec.name}" could not be connected: ${why}`;
    const issues = [...lastWords(stderr.lines()), ...containmentHint(contained.containment)];
    if (exited !== null) throw new Ended("upstream-unavailable", message, { cause: error, issues });
    throw new RemitError(client.timedOut(error) ? "upstream-timeout" : "upstream-unavailable", message, { cause: error, issues });
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
    answerBeside: (handler) => channel.answerBeside(handler),
    stderr: () => stderr.lines(),
    containment: contained.containment,
    close: () => child.stop(),
  };
}

function unstarted(spec: UpstreamSpec, error: unknown): RemitError {
  const why = error instanceof Error ? error.message : String(error);
  const code = RemitError.is(error) ? error.code : "upstream-unavailable";
  return new RemitError(code, `upstream "${spec.name}" cannot be started: ${why}`, { cause: error });
}

function lastWords(stderr: readonly string[]): Issue[] {
  return stderr.slice(-5).map((line) => ({ message: `stderr: ${line}` }));
}

/** Whoever finds that it does not connect may not know what it cannot reach. */
function containmentHint({ by, network }: Containment): Issue[] {
  if (by === "nothing") return [];
  const reaches = network === "none" ? "no network" : network === "open" ? "the network" : `no network but ${network.join(", ")}`;
  return [{ message: `it is contained by ${by}: ${reaches}, and no files but what its registration declares under transport.sandbox` }];
}
