import type { ProbeResult } from "./health-probe.ts";
import type { CircuitView } from "./circuits.ts";
import type { Continuation, Relay } from "./relay.ts";
import type { Containment, CredentialSpec, Effect, FaultKind, JsonObject, ToolResult, UpstreamSpec } from "@remit/contract";
import type { RequestedBy } from "../secret/access.ts";

/** What an upstream says of one of its tools, as `tools/list` gives it. */
export type OfferedTool = { name: string; description: string; inputSchema: JsonObject; outputSchema: JsonObject | null; raw: JsonObject };

export type UpstreamCall = {
  upstream: string;
  /** The upstream's own name of the tool, or a reserved one: an operation of the protocol. */
  tool: string;
  arguments: JsonObject;
  timeoutMs: number;
  /** Aborting cancels the call at the upstream as well. */
  signal: AbortSignal;
  /** For whom it is made: whose credentials are shown, and where it may meet faults. */
  by?: RequestedBy;
  effect?: Effect;
  /** Told of a fault that somebody has this call meet on purpose. */
  onInjected?: (fault: InjectedFault) => void;
  /** W3C `traceparent`, passed on in `_meta`. */
  traceparent?: string;
  /** The client's side; absent where none is there, as when a server carries out what people have granted. */
  relay?: Relay;
  continuation?: Continuation;
  /** Told when the upstream works at the call by itself, as a task, and whenever it says something new of how that stands. */
  onTask?: (task: UpstreamTask) => void;
  /** Whether whoever made the call can be told of a task: only then is one made of a tool that leaves it to the caller. */
  mayBeTask?: boolean;
};

/** A task that an upstream made of a call. Its id is the upstream's own, and no client's business. */
export type UpstreamTask = { upstream: string; id: string; statusMessage: string | null };

/** A list that an upstream keeps beside its tools. */
export type ListMethod = "resources/list" | "resources/templates/list" | "prompts/list";

/** That something of an upstream has changed, as it told. */
export type UpstreamNotice = { upstream: string; method: string; params: JsonObject };

/** A fault that a call has met on purpose. */
export type InjectedFault = { fault: string; kind: FaultKind };

export type UpstreamHealth = {
  upstream: string;
  state: "starting" | "ready" | "down";
  since: string;
  restarts: number;
  error: string | null;
  stderr: string[];
  /** How its program was started; null where it has none, or does not run. */
  containment: Containment | null;
  /** Tools that are not called for now, because they keep failing. */
  circuits?: CircuitView[];
  /** When it was last asked whether it still answers; null: not yet. */
  probe?: ProbeResult | null;
};

/** The MCP servers behind the gateway. */
export type Upstreams = {
  /**
   * Every tool that it offers, over all pages.
   * @throws RemitError `upstream-unavailable` | `upstream-timeout`, naming the upstream.
   */
  offered(upstream: string): Promise<OfferedTool[]>;
  /**
   * Every tool that an upstream of this specification offers, before it is in force: it is started, asked and stopped.
   * `credentials`: those that would come into force with it.
   * @throws RemitError as `offered`.
   */
  probe(spec: UpstreamSpec, credentials?: ReadonlyMap<string, CredentialSpec>): Promise<OfferedTool[]>;
  /**
   * Never sends a call twice.
   * @throws RemitError `upstream-unavailable` (nothing was sent) | `upstream-error` (it answered with an error) |
   *   `outcome-unknown` (it was sent, and the connection ended before an answer) | `upstream-timeout` | `cancelled`.
   */
  call(call: UpstreamCall): Promise<ToolResult>;
  /**
   * One page of a list, as the upstream gives it; null when it does not keep such a list.
   * @throws RemitError as `offered`.
   */
  list(upstream: string, method: ListMethod, cursor: string | null): Promise<JsonObject | null>;
  /** What an upstream says that it can do; null while it is not connected. */
  capabilities(upstream: string): JsonObject | null;
  /** Told what upstreams tell beside their answers. Returns what ends it. */
  onNotice(listener: (notice: UpstreamNotice) => void): () => void;
  /**
   * Wants to be told when a resource is updated, as a notice. Returns what ends it.
   * @throws RemitError as `offered`.
   */
  watch(upstream: string, uri: string): Promise<() => void>;
  /** The client of that lane says that its folders have changed: the upstream is told where it was promised. */
  rootsChanged(upstream: string, lane: string): void;
  /** The client of that lane has gone: what was open for it alone is closed. */
  endLane(lane: string): void;
  health(): UpstreamHealth[];
};
