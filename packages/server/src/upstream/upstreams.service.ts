import { isDeepStrictEqual } from "node:util";
import type { Containment, ToolResult, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Machine } from "@remit/sandbox";
import { examineMachine } from "@remit/sandbox";
import type { Logger } from "pino";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { accessOf, noBroker, probingAccess } from "../secret/access.ts";
import type { CredentialBroker } from "../secret/broker.ts";
import type { BackoffOptions } from "./backoff.ts";
import { defaultBackoff } from "./backoff.ts";
import type { ConnectDeps } from "./connection.ts";
import { createCircuits } from "./circuits.ts";
import type { CircuitChange } from "./circuits.ts";
import { endOfCall, endOfFailure } from "./upstream-fault.ts";
import { startHealthProbe } from "./health-probe.ts";
import { listOfferedTools } from "./offered-tools.ts";
import type { SuperviseDeps, SupervisedUpstream } from "./supervised-upstream.ts";
import { connectUpstream, superviseUpstream } from "./supervised-upstream.ts";
import type { OfferedTool, UpstreamCall, UpstreamNotice, Upstreams } from "./upstreams.ts";

export type UpstreamsDeps = {
  logger: Logger;
  now: () => Date;
  /** By which circuits count time. Default: this process's own, which never jumps. */
  monotonicMs?: () => number;
  /** The root of the registry, which `cwd` of a stdio upstream is relative to. */
  rootDir: string;
  /** Default: this process's. */
  environment?: Readonly<Record<string, string | undefined>>;
  random?: () => number;
  backoff?: BackoffOptions;
  /** What is shown to upstreams. Default: nothing. */
  broker?: CredentialBroker;
  /** Lets a call meet what somebody has injected on purpose, instead of or around `send`. */
  disturb?: (call: UpstreamCall, send: (call: UpstreamCall) => Promise<ToolResult>) => Promise<ToolResult>;
  /** How descriptions of APIs are fetched. Default: from the Internet only. */
  outbound?: Outbound;
  /** How often what is connected is asked whether it still answers. Default: every minute. */
  probeEveryMs?: number;
  connectTimeoutMs?: number;
  graceMs?: number;
  /** What programs are contained with. Default: what this machine has. */
  machine?: () => Promise<Machine>;
  /** Remit's own folders, never shown to an upstream. */
  hidden?: readonly string[];
  /** Told how each program was started. */
  onStarted?: (upstream: string, containment: Containment) => void;
};

/** The upstreams and their lives. */
export type UpstreamFleet = Upstreams & {
  /** Connects what is new, closes what is gone, replaces what has changed. Does not wait for any of it. */
  reconcile(specs: Iterable<UpstreamSpec>): void;
  /** Told what an upstream offers after every connection and every change: what drift is checked against. */
  onOffered(listener: (upstream: string, tools: readonly OfferedTool[]) => void): void;
  /** Told when a tool is no longer called because it keeps failing, and when it is called again. */
  onCircuit(listener: (change: CircuitChange) => void): void;
  stop(): Promise<void>;
};

export function createUpstreams(deps: UpstreamsDeps): UpstreamFleet {
  const listeners: ((upstream: string, tools: readonly OfferedTool[]) => void)[] = [];
  const noticed = new Set<(notice: UpstreamNotice) => void>();
  const members = new Map<string, { spec: UpstreamSpec; upstream: SupervisedUpstream }>();
  const leaving = new Set<Promise<void>>();
  const environment = deps.environment ?? process.env;
  const connectDeps = {
    logger: deps.logger,
    rootDir: deps.rootDir,
    environment,
    outbound: deps.outbound ?? createOutbound(),
    connectTimeoutMs: deps.connectTimeoutMs ?? 30_000,
    graceMs: deps.graceMs ?? 2_000,
    machine: deps.machine ?? examineMachine,
    hidden: deps.hidden ?? [],
    onStarted: deps.onStarted ?? (() => undefined),
  };
  const broker = deps.broker ?? noBroker;
  const base: SuperviseDeps = {
    ...connectDeps,
    broker,
    now: deps.now,
    random: deps.random ?? Math.random,
    backoff: deps.backoff ?? defaultBackoff,
    onOffered(upstream, tools) {
      for (const listener of listeners) listener(upstream, tools);
    },
    onNotice(notice) {
      for (const listener of noticed) listener(notice);
    },
  };
  const disturb = deps.disturb ?? ((call, send) => send(call));
  let stopped = false;
  const circuitListeners: ((change: CircuitChange) => void)[] = [];
  const circuits = createCircuits({
    now: deps.now,
    ...(deps.monotonicMs === undefined ? {} : { monotonicMs: deps.monotonicMs }),
    onChange(change) {
      deps.logger.warn(change, change.state === "open" ? "a tool keeps failing and is not called for now" : "a tool is called again");
      for (const listener of circuitListeners) listener(change);
    },
  });

  const probe = startHealthProbe({
    everyMs: deps.probeEveryMs ?? 60_000,
    now: deps.now,
    upstreams: () => [...members].map(([name, { upstream }]): [string, SupervisedUpstream] => [name, upstream]),
    onOffered: base.onOffered,
  });

  function retire(upstream: SupervisedUpstream, drainMs: number): void {
    const leave = upstream.stop(drainMs).finally(() => leaving.delete(leave));
    leaving.add(leave);
  }

  function found(name: string): { spec: UpstreamSpec; upstream: SupervisedUpstream } {
    const held = members.get(name);
    if (held === undefined) throw new RemitError("upstream-unavailable", `there is no upstream "${name}"; nothing was sent`);
    return held;
  }

  function member(name: string): SupervisedUpstream {
    return found(name).upstream;
  }

  return {
    reconcile(specs) {
      if (stopped) return;
      const wanted = new Map([...specs].map((spec) => [spec.name, spec]));
      for (const [name, { spec, upstream }] of members) {
        const next = wanted.get(name);
        if (next !== undefined && isDeepStrictEqual(connectionOf(next), connectionOf(spec))) {
          upstream.adjust(next);
          members.set(name, { spec: next, upstream });
          wanted.delete(name);
          continue;
        }
        members.delete(name);
        circuits.forget(name);
        // Calls that run on the old one end there; every new one goes to the new one.
        retire(upstream, spec.timeoutMs);
      }
      for (const [name, spec] of wanted) members.set(name, { spec, upstream: superviseUpstream(spec, base) });
    },

    onOffered: (listener) => void listeners.push(listener),
    offered: async (upstream) => await member(upstream).offered(),
    async call(call) {
      const { spec, upstream } = found(call.upstream);
      const admitted = circuits.enter(spec, call.by?.environment ?? "", call.tool);
      try {
        const result = await disturb(call, upstream.call);
        circuits.leave(admitted, endOfCall(result), "it answers that it is not well");
        return result;
      } catch (error) {
        circuits.leave(admitted, endOfFailure(error), RemitError.is(error) ? error.code : "upstream-error");
        throw error;
      }
    },
    list: async (upstream, method, cursor) => await member(upstream).list(method, cursor),
    capabilities: (upstream) => members.get(upstream)?.upstream.capabilities() ?? null,
    onNotice(listener) {
      noticed.add(listener);
      return () => void noticed.delete(listener);
    },
    watch: async (upstream, uri) => await member(upstream).watch(uri),
    rootsChanged: (upstream, lane) => members.get(upstream)?.upstream.rootsChanged(lane),
    endLane(lane) {
      for (const { upstream } of members.values()) upstream.endLane(lane);
    },
    onCircuit: (listener) => void circuitListeners.push(listener),
    health: () =>
      [...members.values()].map(({ spec, upstream }) => ({
        ...upstream.health(),
        circuits: circuits.of(spec.name),
        probe: probe.resultOf(spec.name),
      })),

    async probe(spec, credentials) {
      const signal = AbortSignal.timeout(connectDeps.connectTimeoutMs * 2);
      const access = probingAccess(accessOf(spec, broker, credentials));
      const probing: ConnectDeps = { ...connectDeps, era: new Map(), access, signal };
      const connect = () => connectUpstream(spec, probing, broker.redact);
      const connection = await connect()
        .catch(async (error: unknown) => {
          if (probing.era.get(spec.name) !== "perhaps-legacy" || signal.aborted) throw error;
          return await connect();
        })
        .catch(async (error: unknown) => {
          await access.release();
          throw error;
        });
      try {
        return await listOfferedTools(spec.name, connection, AbortSignal.timeout(spec.timeoutMs));
      } catch (error) {
        if (RemitError.is(error)) throw error;
        throw new RemitError("upstream-timeout", `upstream "${spec.name}" did not list its tools within ${spec.timeoutMs} ms`, {
          cause: error,
        });
      } finally {
        await connection.close();
        await access.release();
      }
    },

    async stop() {
      stopped = true;
      probe.stop();
      for (const { upstream } of members.values()) retire(upstream, 0);
      await Promise.all(leaving);
      members.clear();
    },
  };
}

/** What a connection is made of: where any of it changes, another is made. */
function connectionOf({ transport, credential }: UpstreamSpec): unknown {
  return [transport, credential];
}
