import type { JsonObject, Operation, ToolResult, UpstreamSpec } from "@remit/contract";
import { operationNamed, RemitError } from "@remit/contract";
import { rpcCodes, statelessVersion, tasksExtension } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import { headerParameters, parameterHeaders } from "../mcp/header-parameters.ts";
import { connectHook } from "../hook/connect-hook.ts";
import { connectOpenApi } from "../openapi/connect-openapi.ts";
import { accessOf } from "../secret/access.ts";
import type { Access } from "../secret/access.ts";
import type { CredentialBroker, Redact } from "../secret/broker.ts";
import type { BackoffOptions } from "./backoff.ts";
import { backoffDelay } from "./backoff.ts";
import { createBulkhead } from "./bulkhead.ts";
import { CallClock } from "./call-clock.ts";
import { createClientLanes } from "./client-lanes.ts";
import { connectHttp } from "./connect-http.ts";
import { connectStdio } from "./connect-stdio.ts";
import type { ConnectDeps, Connection, RequestOptions } from "./connection.ts";
import { isObject } from "./connection.ts";
import type { TaskState } from "./follow-task.ts";
import { followTask, taskOf } from "./follow-task.ts";
import { SessionExpired } from "./http-channel.ts";
import type { Relay } from "./relay.ts";
import { listOfferedTools } from "./offered-tools.ts";
import { redactedConnection, redactedError } from "./redacted-connection.ts";
import { operationResultOf, toolResultOf } from "./tool-result.ts";
import type { ListMethod, OfferedTool, UpstreamCall, UpstreamHealth, UpstreamNotice } from "./upstreams.ts";
import { createWatches } from "./watches.ts";

/** One upstream that is kept connected: when its connection ends it is connected again, after a growing wait. */
export type SupervisedUpstream = {
  offered(): Promise<OfferedTool[]>;
  call: (call: UpstreamCall) => Promise<ToolResult>;
  list(method: ListMethod, cursor: string | null): Promise<JsonObject | null>;
  capabilities(): JsonObject | null;
  watch(uri: string): Promise<() => void>;
  /** The client of that lane says that its folders have changed. */
  rootsChanged(lane: string): void;
  /** The client of that lane has gone. */
  endLane(lane: string): void;
  health(): UpstreamHealth;
  /** Takes over limits that need no new connection. */
  adjust(spec: UpstreamSpec): void;
  /** Lets calls that run end, for at most so long, and closes. */
  stop(drainMs: number): Promise<void>;
};

export type SuperviseDeps = Omit<ConnectDeps, "signal" | "era" | "client" | "access"> & {
  broker: CredentialBroker;
  now: () => Date;
  /** In [0, 1). */
  random: () => number;
  backoff: BackoffOptions;
  /** Told after every connection and every change what it offers now. */
  onOffered: (upstream: string, tools: readonly OfferedTool[]) => void;
  onNotice: (notice: UpstreamNotice) => void;
};

type State =
  | { type: "starting"; connecting: Promise<Connection> }
  | { type: "ready"; connection: Connection }
  | { type: "down"; nextAttempt: Date | null };

/** Connects; what the upstream says from then on repeats no secret. */
export async function connectUpstream(spec: UpstreamSpec, deps: ConnectDeps, redact: Redact): Promise<Connection> {
  try {
    return redactedConnection(await connectPlainly(spec, deps), redact);
  } catch (error) {
    throw redactedError(error, redact);
  }
}

function connectPlainly(spec: UpstreamSpec, deps: ConnectDeps): Promise<Connection> {
  switch (spec.transport.type) {
    case "stdio":
      return connectStdio(spec, deps);
    case "http":
      return connectHttp(spec, deps);
    case "openapi":
      return connectOpenApi(spec, deps);
    case "hook":
      return Promise.resolve(connectHook(spec));
  }
}

export function superviseUpstream(initial: UpstreamSpec, deps: SuperviseDeps): SupervisedUpstream {
  const { name } = initial;
  const log = deps.logger.child({ upstream: name });
  const bulkhead = createBulkhead(name, initial.concurrency);
  const tools = new Map<string, OfferedTool>();
  let spec = initial;
  let state: State = { type: "down", nextAttempt: null };
  let since = deps.now();
  let restarts = -1;
  let attempt = 0;
  let lastError: string | null = null;
  let lastStderr: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const era: ConnectDeps["era"] = new Map();
  const access: Access = {
    lease: (by, signal) => accessOf(spec, deps.broker).lease(by, signal),
    again: (by, lease, challenge, signal) => accessOf(spec, deps.broker).again(by, lease, challenge, signal),
  };
  const stopping = new AbortController();
  let stopped = false;
  /** Calls at which the upstream works by itself. */
  let following = 0;
  const idle: (() => void)[] = [];
  let announcing: NodeJS.Timeout | undefined;
  const lanes = createClientLanes(name, (capabilities, signal) =>
    connectUpstream(spec, { ...deps, era, access, signal, client: { capabilities } }, deps.broker.redact),
  );
  const watches = createWatches(name, (error) => log.warn({ err: error }, "upstream does not tell of a resource any more"));

  function enter(next: State): void {
    state = next;
    since = deps.now();
  }

  function connect(): void {
    restarts += 1;
    const connecting = connectUpstream(spec, { ...deps, era, access, signal: stopping.signal }, deps.broker.redact);
    enter({ type: "starting", connecting });
    connecting.then(ready, (error: unknown) => down(error instanceof Error ? error.message : String(error), stderrOf(error)));
  }

  function ready(connection: Connection): void {
    if (stopped) {
      void connection.close();
      return;
    }
    enter({ type: "ready", connection });
    lastError = null;
    log.info({ protocolVersion: connection.protocolVersion, restarts }, "upstream is ready");
    connection.onNotification((method, params) => {
      if (method === "notifications/tools/list_changed") announceSoon(connection);
      deps.onNotice({ upstream: name, method, params });
    });
    connection.onClosed((reason) => {
      if (state.type === "ready" && state.connection === connection) down(reason, connection.stderr());
    });
    connection.stale?.addEventListener(
      "abort",
      () => {
        if (!stopped && state.type === "ready" && state.connection === connection) connect();
      },
      { once: true },
    );
    watches.renew(connection);
    void announce(connection);
  }

  /** Many changes in a row are listed once. */
  function announceSoon(connection: Connection): void {
    clearTimeout(announcing);
    announcing = setTimeout(() => void announce(connection), announceAfterMs);
  }

  function down(reason: string, stderr: readonly string[]): void {
    if (stopped) return;
    const lived = state.type === "ready" ? deps.now().getTime() - since.getTime() : 0;
    if (lived >= deps.backoff.stableAfterMs) attempt = 0;
    const delay = backoffDelay(deps.backoff, attempt, deps.random());
    attempt += 1;
    lastError = reason;
    lastStderr = [...stderr];
    enter({ type: "down", nextAttempt: new Date(deps.now().getTime() + delay) });
    // Its last words are in its view and at the level debug: they may quote what it was called with.
    log.warn({ reason, attempt, delayMs: Math.round(delay) }, "upstream is down; it will be connected again");
    timer = setTimeout(connect, delay);
  }

  async function announce(connection: Connection): Promise<void> {
    try {
      const offered = await listOfferedTools(name, connection, AbortSignal.timeout(spec.timeoutMs));
      tools.clear();
      for (const tool of offered) tools.set(tool.name, tool);
      deps.onOffered(name, offered);
    } catch (error) {
      log.warn({ err: error }, "upstream did not list its tools");
    }
  }

  async function connected(signal: AbortSignal): Promise<Connection> {
    if (state.type === "ready") return state.connection;
    if (state.type === "starting") {
      const { connecting } = state;
      return await new Promise<Connection>((resolve, reject) => {
        const aborted = () => reject(signal.reason as Error);
        signal.addEventListener("abort", aborted, { once: true });
        connecting
          .then(resolve, (error: unknown) => {
            const why = error instanceof Error ? error.message : String(error);
            reject(new RemitError("upstream-unavailable", `${why}; nothing was sent`, { cause: error }));
          })
          .finally(() => signal.removeEventListener("abort", aborted));
      });
    }
    const next = state.nextAttempt === null ? "" : `; it is connected again at ${state.nextAttempt.toISOString()}`;
    const why = lastError === null ? "" : `: ${lastError}`;
    throw new RemitError("upstream-unavailable", `upstream "${name}" is down${why}; nothing was sent${next}`);
  }

  /** Sends on the connection that stands; sends once more only where the upstream has refused to look at the request at all. */
  async function send(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject> {
    const connection = await connected(options.signal);
    try {
      return await connection.request(method, params, options);
    } catch (error) {
      return await sendAgain(connection, error, method, params, options);
    }
  }

  async function sendAgain(
    broken: Connection,
    error: unknown,
    method: string,
    params: JsonObject,
    options: RequestOptions,
  ): Promise<JsonObject> {
    const expired = error instanceof SessionExpired;
    if (expired || (RemitError.is(error) && error.code === "upstream-unavailable")) reconnect(broken, expired);
    if (!expired) throw error;
    const renewed = await connected(options.signal);
    try {
      return await renewed.request(method, params, options);
    } catch (again) {
      if (!(again instanceof SessionExpired)) throw again;
      throw new RemitError("upstream-error", `upstream "${name}" forgets its sessions; nothing was done`, { cause: again });
    }
  }

  /** Whether a call may become a task, by what the upstream says that it can do. */
  function mayBecomeTask(connection: Connection, call: UpstreamCall): boolean {
    const { extensions, tasks: own } = connection.capabilities;
    if (connection.protocolVersion === statelessVersion)
      return following < maxFollowed && isObject(extensions) && isObject(extensions[tasksExtension]);
    const requests = isObject(own) ? own["requests"] : undefined;
    const ofTools = isObject(requests) ? requests["tools"] : undefined;
    if (!isObject(ofTools) || !isObject(ofTools["call"])) return false;
    const execution = tools.get(call.tool)?.raw["execution"];
    const support = isObject(execution) ? execution["taskSupport"] : undefined;
    if (support !== "required") return support === "optional" && call.mayBeTask === true && following < maxFollowed;
    if (following < maxFollowed) return true;
    throw new RemitError("upstream-busy", `upstream "${name}" works at ${following} tasks already; nothing was sent, try again later`);
  }

  /** Waits for what an upstream does by itself: longer than a call may take, in no place of its concurrency, and yet not for ever. */
  async function follow(task: TaskState, running: Running, via: Connection | null, stateless: boolean): Promise<JsonObject> {
    const { call, clock } = running;
    const { relay } = call;
    const limitMs = spec.taskTimeoutMs ?? defaultTaskTimeoutMs;
    following += 1;
    // What the upstream does by itself takes no place: from then on there is none to give back, or to take again.
    leave(running);
    clock.extend(limitMs, `did not end its task within ${Math.round(limitMs / 1_000)} s, so it was cancelled`);
    let told = 0;
    const tell = (statusMessage: string | null): void => {
      call.onTask?.({ upstream: name, id: task.id, statusMessage });
      if (statusMessage === null || relay?.progress !== true) return;
      told += 1;
      relay.onNotification("notifications/progress", { progressToken: 0, progress: told, message: statusMessage });
    };
    try {
      tell(task.statusMessage);
      const asks = relay !== undefined && Object.keys(relay.capabilities).length > 0;
      return await followTask(task, {
        upstream: name,
        stateless,
        signal: AbortSignal.any([clock.signal, stopping.signal]),
        pollTimeoutMs: spec.timeoutMs,
        by: call.by,
        request: (method, params, options) => (via === null ? send(method, params, options) : via.request(method, params, options)),
        ask: asks ? (question, signal) => clock.during(() => relay.ask(question, signal)) : null,
        onStatus: tell,
      });
    } finally {
      following -= 1;
      wakeIdle();
    }
  }

  function wakeIdle(): void {
    if (bulkhead.running() === 0 && following === 0) for (const listener of idle.splice(0)) listener();
  }

  /** Takes a place among the calls that the upstream carries at a time. */
  async function takePlace(running: Running): Promise<void> {
    const { call, clock } = running;
    running.release = await bulkhead.enter(clock.signal, call.by?.agent);
    if (clock.isOver) leave(running);
  }

  function leave(running: Running): void {
    const { release } = running;
    running.release = null;
    release?.();
  }

  /** Asks the client. Whoever waits for a person keeps nobody else from the upstream, and its clock stands still. */
  async function outside<Answer>(running: Running, ask: () => Promise<Answer>): Promise<Answer> {
    running.asking += 1;
    if (running.asking === 1) leave(running);
    running.clock.pause();
    try {
      return await ask();
    } finally {
      running.clock.resume();
      if (running.asking === 1 && !running.clock.isOver) await takePlace(running);
      running.asking -= 1;
      // Asked again while it waited for its place: it takes one when that has been answered.
      if (running.asking > 0) leave(running);
    }
  }

  /** Carries a call out, within its time and in a place of the upstream's. */
  async function carry(call: UpstreamCall): Promise<ToolResult> {
    const clock = new CallClock(name, call.timeoutMs, call.signal);
    const running: Running = { call, clock, release: null, asking: 0 };
    try {
      clock.signal.throwIfAborted();
      running.release = bulkhead.take();
      if (running.release === null) await takePlace(running).catch((error: unknown) => busyFor(call, error));
      const operation = operationNamed(call.tool);
      if (operation?.asks === "client")
        throw new RemitError("upstream-unavailable", `what upstream "${name}" asked can no longer be answered: its call has ended`);
      const connection = state.type === "ready" ? state.connection : await connected(clock.signal);
      const sent = requestOf(running, operation, connection);
      const answer = sent.lane === null ? await act(sent, running, connection) : await actInLane(sent, sent.lane, running);
      return operation === null ? toolResultOf(name, answer) : operationResultOf(name, answer);
    } finally {
      clock.end();
      leave(running);
      wakeIdle();
    }
  }

  /** Sends an action on the connection of all. */
  async function act(sent: Sent, running: Running, connection: Connection): Promise<JsonObject> {
    const { method, params, options } = sent;
    let answer: JsonObject;
    try {
      answer = await connection.request(method, params, options);
    } catch (error) {
      answer = await sendAgain(connection, error, method, params, options);
    }
    const task = sent.mayTask ? taskOf(name, answer, sent.stateless) : null;
    return task === null ? answer : await follow(task, running, null, sent.stateless);
  }

  /** Sends an action on the client's own connection: there the upstream may ask it something by the handshake. */
  function actInLane({ method, params, options, mayTask }: Sent, relay: Relay, running: Running): Promise<JsonObject> {
    return lanes.during(running.clock.signal, relay, async (lane) => {
      const answer = await lane.request(method, params, options);
      const task = mayTask ? taskOf(name, answer, false) : null;
      return task === null ? answer : await follow(task, running, lane, false);
    });
  }

  function requestOf(running: Running, operation: Operation | null, connection: Connection): Sent {
    const { call, clock } = running;
    const { relay, continuation } = call;
    const stateless = connection.protocolVersion === statelessVersion;
    if (!stateless && continuation?.requestState !== undefined) {
      const cause = new RpcError(
        rpcCodes.invalidParams,
        "Invalid params: requestState is not one that was given here; make the request again without it",
      );
      throw new RemitError("upstream-error", `upstream "${name}" gives no states: ${cause.message}`, { cause });
    }
    const mayTask = operation === null && mayBecomeTask(connection, call);
    const params: JsonObject = operation === null ? { name: call.tool, arguments: call.arguments } : { ...call.arguments };
    if (stateless && continuation !== undefined) Object.assign(params, continuation);
    if (mayTask && !stateless) params["task"] = { ttl: (spec.taskTimeoutMs ?? defaultTaskTimeoutMs) * 2 };
    const meta = metaOf(call);
    if (meta !== null) params["_meta"] = meta;
    const asks = relay !== undefined && Object.keys(relay.capabilities).length > 0;
    const inLane = asks && connection.speaksHandshake && (!stateless || (!relay.stateless && continuation === undefined));
    const offered = mayTask && stateless ? offeringTasks : undefined;
    const options: RequestOptions = {
      signal: clock.signal,
      by: call.by,
      headers: headersOf(call, stateless),
      capabilities: relay === undefined ? offered : { ...relay.capabilities, ...offered },
      progress: relay?.progress ?? false,
      onNotification: relay?.onNotification,
      onServerRequest: inLane ? (request, aborting) => outside(running, () => relay.ask(request, aborting)) : undefined,
    };
    return { method: operation?.method ?? "tools/call", params, options, stateless, mayTask, lane: inLane ? relay : null };
  }

  function busyFor({ timeoutMs }: UpstreamCall, error: unknown): never {
    if (!RemitError.is(error) || error.code !== "upstream-timeout") throw error;
    const message = `upstream "${name}" was busy with ${bulkhead.running()} calls for ${timeoutMs} ms; nothing was sent`;
    throw new RemitError("upstream-busy", message, { cause: error });
  }

  function reconnect(broken: Connection, atOnce: boolean): void {
    if (state.type !== "ready" || state.connection !== broken) return;
    if (atOnce) connect();
    else down("it can no longer be reached", broken.stderr());
    void broken.close();
  }

  /** Runs `work` under a deadline. */
  async function bounded<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const clock = new CallClock(name, spec.timeoutMs, null);
    try {
      return await work(clock.signal);
    } finally {
      clock.end();
    }
  }

  connect();

  return {
    offered: () =>
      bounded(async (signal) => {
        // A person asks, who has perhaps just mended it: that is worth an attempt before its time.
        if (state.type === "down" && !stopped) {
          clearTimeout(timer);
          connect();
        }
        const connection = await connected(signal);
        const offered = await listOfferedTools(name, connection, signal);
        for (const tool of offered) tools.set(tool.name, tool);
        return offered;
      }),

    list: (method, cursor) =>
      bounded(async (signal) => {
        const connection = await connected(signal);
        if (connection.capabilities[method.split("/")[0] ?? ""] === undefined) return null;
        return await send(method, cursor === null ? {} : { cursor }, { signal });
      }),

    capabilities: () => (state.type === "ready" ? state.connection.capabilities : null),

    watch: (uri) => bounded(async (signal) => await watches.add(uri, await connected(signal), signal)),

    rootsChanged: (lane) => lanes.rootsChanged(lane),

    endLane: (lane) => lanes.end(lane),

    call: carry,

    health: () => ({
      upstream: name,
      state: state.type,
      since: since.toISOString(),
      restarts: Math.max(0, restarts),
      error: lastError,
      stderr: state.type === "ready" ? state.connection.stderr() : lastStderr,
      containment: state.type === "ready" ? (state.connection.containment ?? null) : null,
    }),

    adjust(next) {
      spec = next;
      bulkhead.resize(next.concurrency);
    },

    async stop(drainMs) {
      stopped = true;
      clearTimeout(timer);
      if ((bulkhead.running() > 0 || following > 0) && drainMs > 0) {
        await new Promise<void>((resolve) => {
          const late = setTimeout(resolve, drainMs);
          idle.push(() => {
            clearTimeout(late);
            resolve();
          });
        });
      }
      stopping.abort(
        new RemitError("outcome-unknown", `upstream "${name}" was stopped or replaced while it worked; whether it was done is not known`),
      );
      await lanes.close();
      const last = state;
      lastError = "it was stopped";
      enter({ type: "down", nextAttempt: null });
      if (last.type === "ready") await last.connection.close();
      if (last.type === "starting") {
        const connection = await last.connecting.catch(() => null);
        await connection?.close();
      }
    },
  };

  function headersOf(call: UpstreamCall, stateless: boolean): Record<string, string> | undefined {
    if (spec.transport.type !== "http") return undefined;
    // Beside `_meta`, for what is between us and the upstream.
    const trace = call.traceparent === undefined ? undefined : { traceparent: call.traceparent };
    const tool = stateless ? tools.get(call.tool) : undefined;
    return tool === undefined ? trace : { ...trace, ...parameterHeaders(headerParameters(tool.inputSchema), call.arguments) };
  }
}

/** A call that runs: its time, its place among the others while it has one, and how many questions to its client are open. */
type Running = { call: UpstreamCall; clock: CallClock; release: (() => void) | null; asking: number };

/** How a call is sent. `lane`: whose own connection it needs. */
type Sent = { method: string; params: JsonObject; options: RequestOptions; stateless: boolean; mayTask: boolean; lane: Relay | null };

const offeringTasks: JsonObject = { extensions: { [tasksExtension]: {} } };

/** What goes along beside the arguments; null where nothing does. */
function metaOf({ relay, traceparent }: UpstreamCall): JsonObject | null {
  if (traceparent !== undefined) return { ...relay?.meta, traceparent };
  return relay === undefined || Object.keys(relay.meta).length === 0 ? null : relay.meta;
}

const announceAfterMs = 100;
/** How long an upstream may work at one call by itself, where its registration does not say. */
const defaultTaskTimeoutMs = 60 * 60_000;
/** More tasks than this at a time are not offered to an upstream. */
const maxFollowed = 256;

function stderrOf(error: unknown): string[] {
  return RemitError.is(error) ? error.issues.map((issue) => issue.message) : [];
}
