import type { Id } from "@remit/contract";
import { errorTable, RemitError } from "@remit/contract";
import type { ActionPath } from "../action/action-path.ts";
import type { MissingForCall } from "../action/missing-for-call.ts";
import type { Challenge } from "../identity/resource.ts";
import { handshakeVersions, metaKeys, remitInfo, rpcCodes, supportedVersions, tasksExtension } from "../mcp/mcp-protocol.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { ListMethod, Upstreams } from "../upstream/upstreams.ts";
import type { ApprovalAnswers } from "./approval-answer.ts";
import type { ApprovalTasks } from "./approval-tasks.ts";
import { createActionCaller } from "./call-action.ts";
import type { ClientSide } from "./client-side.ts";
import { clientSideOf, logLevels } from "./client-side.ts";
import type { Exchange } from "./exchange.ts";
import { createHeldCalls } from "./held-calls.ts";
import { createInFlight } from "./in-flight.ts";
import { createOperationCaller } from "./operation-call.ts";
import { createQuestions } from "./questions.ts";
import type { Refusal } from "./refusal.ts";
import { errorBody, refusalOf, refuse } from "./refusal.ts";
import type { RequestStates } from "./request-state.ts";
import { principalOf } from "./request-state.ts";
import { listFreshMs, markedJson, resultJson } from "./results.ts";
import { revisionOf } from "./revision.ts";
import type { RpcRequest } from "./rpc-message.ts";
import { isObject, readMessage } from "./rpc-message.ts";
import { serverCapabilities } from "./server-capabilities.ts";
import type { Session, SessionLimits } from "./sessions.ts";
import { createSessions, defaultSessionLimits } from "./sessions.ts";
import { createSubscriptions } from "./subscriptions.ts";
import { withStepUp } from "./step-up.ts";
import { answerTaskRequest, taskMethods } from "./task-requests.ts";
import { createToolCaller } from "./tool-call.ts";
import { createToolEntries } from "./tool-entries.ts";
import { pageOf } from "./tool-list.ts";
import { createUpstreamLists } from "./upstream-lists.ts";

export type GatewayDeps = {
  path: ActionPath;
  registry: RegistrySource;
  upstreams: Pick<Upstreams, "list" | "capabilities" | "onNotice" | "watch" | "rootsChanged" | "endLane">;
  states: RequestStates;
  now: () => Date;
  /** Calls off a request for approval that nobody could use any more. */
  withdraw?: (id: Id<"approval">) => Promise<unknown>;
  /** How calls that wait for a person are answered in the stateless revision; without, as in every other. */
  approvals?: { answers: ApprovalAnswers; tasks: ApprovalTasks };
  /** What a refused call lacks; without, a refusal says less. */
  missing?: MissingForCall;
  /** How many items one page of a list holds. Many clients never ask for a second page. */
  pageSize?: number;
  sessionLimits?: SessionLimits;
};

/** What goes back over HTTP. `body` is null where there is none. */
export type Answer = { status: number; body: string | null; headers?: Record<string, string>; challenge?: Challenge };

/** The relay: one message in, one answer out, and what is told and asked between the two. */
export type Gateway = {
  answer(exchange: Exchange): Promise<Answer>;
  /** The stream of a session for what belongs to no request, for as long as the client holds it. */
  attach(exchange: Omit<Exchange, "body">): Answer | null;
  /** Ends a session. */
  leave(exchange: Omit<Exchange, "body" | "stream" | "signal">): Answer;
  /** What tools there are may have changed. */
  toolsChanged(): void;
  close(): void;
};

const instructions =
  "Every call passes through Remit, which decides what you may do. A result that begins with `Not done yet` waits for a person: " +
  "go on with other work and repeat exactly the same call later. A result that begins with `Refused by Remit` says why; " +
  "do not look for a way around it.";

const serverMeta = JSON.stringify({ [metaKeys.serverInfo]: remitInfo });

const listMethods: Readonly<Record<string, ListMethod>> = {
  "resources/list": "resources/list",
  "resources/templates/list": "resources/templates/list",
  "prompts/list": "prompts/list",
};

type Handler = (message: RpcRequest, client: ClientSide, exchange: Exchange) => string | Refusal | Promise<string | Refusal>;

export function createGateway(deps: GatewayDeps): Gateway {
  const { path, registry, upstreams, now } = deps;
  const entries = createToolEntries();
  const inFlight = createInFlight();
  const pageSize = deps.pageSize ?? 500;
  const held = createHeldCalls();
  const questions = createQuestions(path, deps.withdraw);
  const plain = createActionCaller({
    path,
    questions,
    held,
    states: deps.states,
    inFlight,
    now,
    answers: deps.approvals?.answers,
    tasks: deps.approvals?.tasks,
  });
  const call = withStepUp(plain, deps.missing);
  const callTool = createToolCaller({ call, registry, entries });
  const callOperation = createOperationCaller(call);
  const lists = createUpstreamLists({ path, registry, upstreams, pageSize });
  const subscriptions = createSubscriptions({ path, upstreams, lists, now });
  const sessions = createSessions({
    limits: deps.sessionLimits ?? defaultSessionLimits,
    monotonicMs: () => performance.now(),
    onEnded: ({ id }) => upstreams.endLane(id),
  });

  const inBoth: Readonly<Record<string, Handler>> = {
    "tools/call": callTool,
    "tools/list": listTools,
    "resources/read": callOperation,
    "prompts/get": callOperation,
    "completion/complete": callOperation,
    ...Object.fromEntries(Object.keys(listMethods).map((method) => [method, listUpstreams])),
  };
  const stateless: Readonly<Record<string, Handler>> = {
    ...inBoth,
    "server/discover": (_message, _client, exchange) => discover(exchange),
    "subscriptions/listen": (message, _client, exchange) => subscriptions.listen(message, exchange),
    ...(deps.approvals === undefined ? {} : Object.fromEntries([...taskMethods].map((method) => [method, answerTask]))),
  };
  const byHandshake: Readonly<Record<string, Handler>> = {
    ...inBoth,
    ping: () => "{}",
    "logging/setLevel": (message, { session }) => setLevel(message, session),
    "resources/subscribe": (message, { session }, exchange) =>
      session === null ? needsSession(message) : subscriptions.subscribe(message, exchange, session),
    "resources/unsubscribe": (message, { session }, exchange) =>
      session === null ? needsSession(message) : subscriptions.unsubscribe(message, exchange, session),
  };

  function listTools(message: RpcRequest, client: ClientSide, { caller, address }: Exchange): string | Refusal {
    const page = pageOf(path.list(caller), address, message.params["cursor"], pageSize);
    if (page.type === "refusal") return page;
    const tools = page.tools.map(({ listed, name }) => entries.json(listed, name)).join(",");
    const next = page.nextCursor === null ? "" : `,"nextCursor":${JSON.stringify(page.nextCursor)}`;
    const modern = client.stateless ? `,"resultType":"complete","ttlMs":${listFreshMs},"cacheScope":"private","_meta":${serverMeta}` : "";
    return `{"tools":[${tools}]${next}${modern}}`;
  }

  async function listUpstreams(message: RpcRequest, client: ClientSide, exchange: Exchange): Promise<string | Refusal> {
    const method = listMethods[message.method];
    if (method === undefined) return unknownMethod(message, client.stateless);
    return await lists.list(method, message, exchange, client.stateless);
  }

  async function answerTask(message: RpcRequest, _client: ClientSide, exchange: Exchange): Promise<string | Refusal> {
    if (deps.approvals === undefined) return unknownMethod(message, true);
    const answer = await answerTaskRequest(deps.approvals.tasks, message, exchange);
    return answer.type === "refusal" ? answer : markedJson(answer.result);
  }

  function discover({ caller, address }: Exchange): string {
    const result = {
      supportedVersions: [...supportedVersions],
      capabilities: {
        ...serverCapabilities({ lists, upstreams }, caller, address.upstream),
        ...(deps.approvals === undefined ? {} : { extensions: { [tasksExtension]: {} } }),
      },
      instructions,
      ttlMs: listFreshMs,
      cacheScope: "private",
    };
    return resultJson(result, true);
  }

  function initialize(message: RpcRequest, { caller, address }: Exchange): Answer {
    const { protocolVersion: wanted, capabilities = {} } = message.params;
    const invalid = (what: string) => failure(refuse(200, rpcCodes.invalidParams, `Invalid params: ${what}`), message);
    if (typeof wanted !== "string") return invalid("protocolVersion must be text");
    if (!isObject(capabilities)) return invalid("capabilities must be an object");
    const protocolVersion = handshakeVersions.find((version) => version === wanted) ?? handshakeVersions[0];
    const session = sessions.open({ principal: principalOf(caller), upstream: address.upstream, protocolVersion, capabilities });
    subscriptions.follow(session, caller);
    const result = {
      protocolVersion,
      capabilities: serverCapabilities({ lists, upstreams }, caller, address.upstream),
      serverInfo: remitInfo,
      instructions,
    };
    return { ...success(message, JSON.stringify(result)), headers: { "mcp-session-id": session.id } };
  }

  /** Says it on to the upstreams that may still ask for this client's folders. */
  function tellRootsChanged({ id, capabilities }: Session, { caller, address }: Exchange): void {
    for (const upstream of address.upstream === null ? registry.current().upstreams.keys() : [address.upstream]) {
      if (questions.grantedCapabilities(caller, upstream, capabilities)["roots"] !== undefined) upstreams.rootsChanged(upstream, id);
    }
  }

  /** The session that a request names. Somebody else's is as unknown as one that never was. */
  function sessionOf({ headers, caller, address }: Pick<Exchange, "headers" | "caller" | "address">): Session | Refusal | null {
    const id = headers["mcp-session-id"];
    if (id === undefined) return null;
    const session = typeof id === "string" ? sessions.find(id, principalOf(caller), address.upstream) : null;
    return session ?? refuse(404, errorTable["not-found"].rpc, "There is no such session (any more); initialize a new one");
  }

  return {
    async answer(exchange) {
      const message = readMessage(exchange.body);
      if (message.type === "refusal") return { status: message.http, body: errorBody(message, null) };
      if (message.type === "response") {
        const session = sessionOf(exchange);
        if (session !== null && "type" in session) return { status: session.http, body: errorBody(session, null) };
        if (session?.answered(message.id, message.answer) === true) return { status: 202, body: null };
        return {
          status: 400,
          body: errorBody(refuse(400, rpcCodes.invalidRequest, "Invalid request: nothing waits for this answer"), null),
        };
      }
      const revision = revisionOf(message, exchange.headers);
      if (revision.type === "refusal")
        return { status: revision.http, body: errorBody(revision, message.type === "request" ? message.id : null) };
      const found = revision.stateless || message.method === "initialize" ? null : sessionOf(exchange);
      if (found !== null && "type" in found)
        return { status: found.http, body: errorBody(found, message.type === "request" ? message.id : null) };
      if (message.type === "notification") {
        if (message.method === "notifications/cancelled")
          inFlight.cancel(found?.id ?? exchange.caller.tokenId, message.params["requestId"]);
        if (message.method === "notifications/roots/list_changed" && found !== null) tellRootsChanged(found, exchange);
        return { status: 202, body: null };
      }
      // A connection that breaks is no cancellation: a client with a session comes back for the rest, or says that it wants it no more.
      if (found !== null) exchange.stream.keepBy(found.streams);
      const client = clientSideOf(message, revision.stateless, found);
      if (client.type === "refusal") return failure(client, message);
      try {
        if (!revision.stateless && message.method === "initialize") return initialize(message, exchange);
        const handlers = revision.stateless ? stateless : byHandshake;
        const handler = Object.hasOwn(handlers, message.method) ? handlers[message.method] : undefined;
        const result = handler === undefined ? unknownMethod(message, revision.stateless) : await handler(message, client, exchange);
        return typeof result === "string" ? success(message, result) : failure(result, message);
      } catch (error) {
        // Once the answer is a stream, what is thrown is its last message.
        if (!exchange.stream.isOpen()) throw error;
        return failure(
          refusalOf(RemitError.is(error) ? error : new RemitError("internal", "The request failed", { cause: error })),
          message,
        );
      }
    },

    attach({ caller, address, headers, stream, signal }) {
      const session = sessionOf({ headers, caller, address });
      if (session !== null && "type" in session) return { status: session.http, body: errorBody(session, null) };
      if (session === null) return { status: 405, body: errorBody(noStream, null), headers: { allow: "POST, DELETE" } };
      stream.open();
      if (!stream.isOpen()) return { status: 406, body: errorBody(refuse(406, rpcCodes.invalidRequest, "Accept text/event-stream"), null) };
      const after = headers["last-event-id"];
      if (typeof after !== "string" || !session.streams.resume(after, stream))
        session.attach(stream, typeof after === "string" ? after : null);
      // Whoever listens on has to show a token that is still good.
      const lapse = setTimeout(() => stream.end(), Math.min(Math.max(caller.expiresAt - now().getTime(), 0), maxTimerMs));
      lapse.unref();
      signal.signal.addEventListener("abort", () => clearTimeout(lapse), { once: true });
      return null;
    },

    leave(exchange) {
      const session = sessionOf(exchange);
      if (session === null)
        return { status: 400, body: errorBody(refuse(400, rpcCodes.invalidRequest, "Name the session that is to end"), null) };
      if ("type" in session) return { status: session.http, body: errorBody(session, null) };
      sessions.end(session);
      return { status: 204, body: null };
    },

    toolsChanged: () => subscriptions.toolsChanged(),

    close() {
      subscriptions.close();
      sessions.close();
      held.close();
    },
  };
}

const noStream = refuse(405, rpcCodes.invalidRequest, "A stream belongs to a session; initialize one, or use subscriptions/listen");
const maxTimerMs = 2_000_000_000;

function success(message: RpcRequest, result: string): Answer {
  return { status: 200, body: `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":${result}}` };
}

function failure(refusal: Refusal, message: RpcRequest): Answer {
  const { http: status, challenge } = refusal;
  return { status, body: errorBody(refusal, message.id), ...(challenge === undefined ? {} : { challenge }) };
}

function setLevel(message: RpcRequest, session: Session | null): string | Refusal {
  const { level } = message.params;
  if (typeof level !== "string" || !logLevels.includes(level))
    return refuse(200, rpcCodes.invalidParams, `Invalid params: level must be one of ${logLevels.join(", ")}`);
  if (session === null) return needsSession(message);
  session.logLevel = level;
  return "{}";
}

function needsSession(message: RpcRequest): Refusal {
  const what = `${message.method} needs a session: initialize one, and send its Mcp-Session-Id`;
  return refuse(200, rpcCodes.invalidRequest, `Invalid request: ${what}`);
}

/** Clients of the handshake revisions take any HTTP error for a broken transport; the stateless revision asks for 404. */
function unknownMethod(message: RpcRequest, isStateless: boolean): Refusal {
  return refuse(isStateless ? 404 : 200, rpcCodes.methodNotFound, `Method not found: ${message.method}`);
}
