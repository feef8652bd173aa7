import { hash } from "node:crypto";
import type { ActionOutcome, Id, InputRequired, JsonObject, Missing } from "@remit/contract";
import { canonicalJson } from "@remit/core";
import type { ActionPath, Attempt } from "../action/action-path.ts";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { ServerRequest } from "../upstream/connection.ts";
import type { Continuation, Relay } from "../upstream/relay.ts";
import type { ApprovalAnswers } from "./approval-answer.ts";
import type { ApprovalTasks } from "./approval-tasks.ts";
import { abilitiesOf } from "./client-abilities.ts";
import type { ClientSide } from "./client-side.ts";
import { forwardedMeta, logLevels } from "./client-side.ts";
import type { Exchange } from "./exchange.ts";
import type { Ask, HeldCalls, HeldState, Step } from "./held-calls.ts";
import { heldForMs } from "./held-calls.ts";
import type { InFlight } from "./in-flight.ts";
import type { Asking, Questions } from "./questions.ts";
import { capabilityFor } from "./questions.ts";
import type { Refusal } from "./refusal.ts";
import { refuse, refuseFault } from "./refusal.ts";
import type { RequestStates, StateBinding } from "./request-state.ts";
import { principalOf, requestDigest } from "./request-state.ts";
import type { RpcRequest } from "./rpc-message.ts";
import { isObject, metaOf } from "./rpc-message.ts";
import { traceparentOf } from "../telemetry/traceparent.ts";

/** One request that is an action, in the words of the path. */
export type ActionCall = {
  message: RpcRequest;
  exchange: Exchange;
  client: ClientSide;
  /** Null where the name names none. */
  upstream: string | null;
  tool: string;
  arguments: unknown;
};

/** How a call went: an outcome, or that the client has to say something first. */
export type Called =
  /** `missing`: what a refused call lacks. */
  | { type: "outcome"; outcome: ActionOutcome; missing?: readonly Missing[] }
  | { type: "input"; input: InputRequired }
  /** It waits for a person, and the client is told so in a way of its own. */
  | { type: "waits"; result: JsonObject }
  | Refusal;

export type ActionCaller = (call: ActionCall) => Promise<Called>;

export type CallDeps = {
  path: Pick<ActionPath, "act">;
  questions: Questions;
  held: HeldCalls;
  states: RequestStates;
  inFlight: InFlight;
  now: () => Date;
  answers: ApprovalAnswers | undefined;
  /** How a client that follows tasks is given one. */
  tasks: Pick<ApprovalTasks, "began" | "ask"> | undefined;
};

/** The kind of state that an upstream gave. */
const upstreamKind = "upstream-input";
const upstreamStateMs = 24 * 60 * 60_000;
const maxStateLength = 32 * 1024;

/** More rounds of questions than this are no conversation. */
const maxRounds = 16;

/** A call, and what is read of its message once. */
type Made = ActionCall & {
  type: "made";
  retry: Continuation;
  idempotencyKey: string | null;
  traceparent: string | undefined;
  /** Null where its upstream is not known: then nothing is asked in its name. */
  asking: Asking | null;
  /** What its upstream may ask the client for. */
  capabilities: JsonObject;
  asks: boolean;
};

/**
 * Carries a request out as an action, whatever era its client and its upstream speak: what is told on the way goes along as it comes, and
 * what is asked on the way is asked of the client in the client's own manner.
 */
export function createActionCaller(deps: CallDeps): ActionCaller {
  return (call) => (call.client.stateless ? callStateless(call) : callByHandshake(call));

  function madeOf(call: ActionCall, message: RpcRequest): Made | Refusal {
    const { exchange, client, upstream, tool, arguments: args } = call;
    const parsed = retryOf(message, client);
    if (parsed.type === "refusal") return parsed;
    const idempotencyKey = idempotencyKeyOf(message);
    if (typeof idempotencyKey === "object" && idempotencyKey !== null) return idempotencyKey;
    const { caller, headers } = exchange;
    const traceparent = traceparentOf(metaOf(message)["traceparent"], headers["traceparent"]);
    const asking = upstream === null ? null : { caller, upstream, traceparent };
    const capabilities =
      asking === null || isEmpty(client.capabilities)
        ? none
        : deps.questions.grantedCapabilities(caller, asking.upstream, client.capabilities);
    return {
      type: "made",
      message,
      exchange,
      client,
      upstream,
      tool,
      arguments: args,
      retry: parsed.retry,
      idempotencyKey,
      traceparent,
      asking,
      capabilities,
      asks: !isEmpty(capabilities),
    };
  }

  function attempt(
    made: Made,
    continuation: Continuation | null,
    signal: AbortSignal,
    ask: Ask | null,
    onTask?: Attempt["onTask"],
  ): Promise<ActionOutcome> {
    // Arguments of a wrong shape go along: they are refused on the path, where the attempt is recorded.
    const attempted: Attempt = { tool: made.tool, arguments: made.arguments, signal };
    const idempotencyKey = keyFor(made.idempotencyKey, continuation);
    const relay = relayOf(made, ask);
    if (idempotencyKey !== null) attempted.idempotencyKey = idempotencyKey;
    if (made.traceparent !== undefined) attempted.traceparent = made.traceparent;
    if (relay !== null) attempted.relay = relay;
    if (continuation !== null) attempted.continuation = continuation;
    if (onTask !== undefined) attempted.onTask = onTask;
    return deps.path.act(made.exchange.caller, attempted);
  }

  /** Its client is asked by results, and answers by retrying. */
  async function callStateless(call: ActionCall): Promise<Called> {
    const { caller, address, signal } = call.exchange;
    const whose = { caller, upstream: address.upstream };
    const returns = call.message.params["requestState"] !== undefined;
    const resumed = returns ? ((await deps.answers?.resume(call.message, whose, signal.signal)) ?? null) : null;
    if (resumed?.type === "refusal") return resumed;
    const made = madeOf(call, resumed?.message ?? call.message);
    if (made.type === "refusal") return made;
    const done = deps.inFlight.add(caller.tokenId, made.message.id, signal);
    try {
      const called = await stepOf(made);
      if (called.type !== "outcome" || called.outcome.type !== "waiting") return called;
      const result = (await deps.answers?.answer(made.message, whose, called.outcome, resumed)) ?? null;
      return result === null ? called : { type: "waits", result };
    } finally {
      done();
    }
  }

  async function stepOf(made: Made): Promise<Called> {
    const { message, retry, asks } = made;
    const { caller, signal } = made.exchange;
    const { requestState } = retry;
    const { tasks } = deps;
    const following =
      tasks !== undefined && message.method === "tools/call" && abilitiesOf(message).followTasks ? followed(made, tasks) : null;
    // What most calls are: nothing to come back to, and nobody to ask.
    if (requestState === undefined && !asks) {
      const acting = attempt(made, retry.inputResponses === undefined ? null : retry, signal.signal, null, following?.onTask);
      const outcome = following === null ? await acting : await following.first(acting);
      if (!("actionId" in outcome)) return outcome;
      return needsInput(outcome) ? await handOver(made, outcome, bindingOf(made, upstreamKind)) : { type: "outcome", outcome };
    }
    const principal = principalOf(caller);
    const binding = bindingOf(made, "held");
    const resumable = requestState === undefined ? null : deps.states.open(requestState, binding);
    let step: Step;
    if (resumable?.type === "opened") {
      const going = deps.held.resume(resumable.data as unknown as HeldState, principal, retry.inputResponses ?? {}, signal.signal);
      if (going === null) return invalidState("the call that this requestState belongs to is over");
      step = await going;
    } else {
      const continuation: Continuation = { ...retry };
      if (requestState !== undefined) {
        const opened = deps.states.open(requestState, { ...binding, kind: upstreamKind });
        if (opened.type === "refused") return invalidState(resumable?.known === true ? resumable.reason : opened.reason);
        continuation.requestState = (opened.data as { state: string }).state;
      }
      const brought = isEmpty(continuation) ? null : continuation;
      const begun: Promise<Step> = asks
        ? deps.held.begin(
            principal,
            (ask, aborting) => attempt(made, brought, aborting, following === null ? ask : following.asking(ask), following?.onTask),
            signal.signal,
          )
        : attempt(made, brought, signal.signal, null, following?.onTask).then((outcome) => ({ type: "ended", outcome }));
      const first = following === null ? await begun : await following.first(begun);
      if (first.type === "waits") return first;
      step = first;
    }
    if (step.type === "asks") {
      const sealed = deps.states.seal(binding, { ...step.state }, new Date(deps.now().getTime() + heldForMs));
      return { type: "input", input: { ...step.input, requestState: sealed } };
    }
    const { outcome } = step;
    return needsInput(outcome) ? await handOver(made, outcome, { ...binding, kind: upstreamKind }) : { type: "outcome", outcome };
  }

  /** A client that follows tasks is given one as soon as the upstream works by itself; the action goes on without its request. */
  function followed({ message, exchange, tool }: Made, tasks: Pick<ApprovalTasks, "began" | "ask">) {
    let action: Id<"action"> | null = null;
    let began = (): void => undefined;
    const isTask = new Promise<void>((resolve) => {
      began = resolve;
    });
    return {
      onTask: (actionId: Id<"action">): void => {
        action = actionId;
        began();
      },
      /** Asks by the task once there is one. */
      asking(before: Ask): Ask {
        return (request, aborting) => (action === null ? before(request, aborting) : tasks.ask(action, request, aborting));
      },
      async first<Result>(ending: Promise<Result>): Promise<Result | { type: "waits"; result: JsonObject }> {
        const ended = await Promise.race([ending.then((result) => ({ result })), isTask]);
        if (ended !== undefined || action === null) return ended === undefined ? await ending : ended.result;
        // How it ends is in the record, and got by the task.
        ending.catch(() => undefined);
        const { name } = message.params;
        return { type: "waits", result: tasks.began(action, exchange.caller, typeof name === "string" ? name : tool) };
      },
    };
  }

  /**
   * What a stateless upstream asks of a stateless client, once each question has been decided. The upstream gets its own state back byte
   * for byte; on its way it is sealed, for the upstream knows nobody but us and cannot tell one agent's state from another's.
   */
  async function handOver({ asking, capabilities, exchange }: Made, { result }: NeedsInput, binding: StateBinding): Promise<Called> {
    const input = result.inputRequired;
    if (asking === null) return invalidState("the upstream of this call is not known");
    const questions = Object.values(input.inputRequests ?? {}) as unknown as ServerRequest[];
    const missing = missingCapabilities(questions, capabilities);
    if (missing !== null) return missing;
    for (const { method, params } of questions) {
      const request = { method, params: isObject(params) ? params : {} };
      const outcome = await deps.questions.handOver(asking, request, exchange.signal.signal);
      if (outcome.type !== "succeeded") return { type: "outcome", outcome };
    }
    const { requestState: state, ...rest } = input;
    if (state === undefined) return { type: "input", input };
    if (state.length > maxStateLength) {
      return refuse(200, rpcCodes.internalError, `Upstream "${asking.upstream}" gave a state of more than ${maxStateLength} characters`);
    }
    const expiresAt = new Date(deps.now().getTime() + upstreamStateMs);
    return { type: "input", input: { ...rest, requestState: deps.states.seal(binding, { state }, expiresAt) } };
  }

  /** Its client is asked by requests, where it has a session; a stateless upstream then gets the answers in a retry. */
  async function callByHandshake(call: ActionCall): Promise<Called> {
    const made = madeOf(call, call.message);
    if (made.type === "refusal") return made;
    const { asking, client, exchange } = made;
    const { session } = client;
    const ask: Ask | null = session === null ? null : (request, aborting) => session.ask(request, aborting, exchange.stream);
    const done = deps.inFlight.add(session?.id ?? exchange.caller.tokenId, made.message.id, exchange.signal);
    try {
      let continuation: Continuation | null = null;
      for (let round = 0; round < maxRounds; round += 1) {
        const outcome = await attempt(made, continuation, exchange.signal.signal, ask);
        if (!needsInput(outcome) || asking === null) return { type: "outcome", outcome };
        const answered = await answersTo(outcome.result.inputRequired, made, asking, ask);
        if (answered.type === "refusal") return answered;
        continuation = answered.continuation;
      }
      return refuse(200, rpcCodes.internalError, `The upstream still asks after ${maxRounds} rounds of questions; the call was given up`);
    } finally {
      done();
    }
  }

  async function answersTo(
    { inputRequests, requestState }: InputRequired,
    { capabilities, exchange }: Made,
    asking: Asking,
    ask: Ask | null,
  ): Promise<{ type: "answered"; continuation: Continuation } | Refusal> {
    const questions = Object.entries(inputRequests ?? {}) as unknown as [string, ServerRequest][];
    const missing = missingCapabilities(
      questions.map(([, question]) => question),
      capabilities,
    );
    if (missing !== null || ask === null) return { ...(missing ?? noSession), http: 200 };
    try {
      const answers = await Promise.all(
        questions.map(async ([name, { method, params }]): Promise<[string, JsonObject]> => {
          const request = { method, params: isObject(params) ? params : {} };
          return [name, await deps.questions.ask(asking, request, exchange.signal.signal, ask)];
        }),
      );
      const inputResponses = Object.fromEntries(answers);
      return { type: "answered", continuation: requestState === undefined ? { inputResponses } : { inputResponses, requestState } };
    } catch (error) {
      if (error instanceof RpcError) return refuseFault(error, false);
      throw error;
    }
  }

  function relayOf({ message, client, exchange, asking, capabilities, asks }: Made, ask: Ask | null): Relay | null {
    const meta = forwardedMeta(message, client.logLevel);
    if (client.progressToken === null && !asks && isEmpty(meta)) return null;
    const principal = principalOf(exchange.caller);
    return {
      stateless: client.stateless,
      capabilities,
      lane: client.session?.id ?? principal,
      principal,
      meta,
      progress: client.progressToken !== null,
      onNotification: (method, params) => tell(client, exchange, method, params),
      async ask(request, aborting) {
        if (asking === null || ask === null) throw new RpcError(rpcCodes.methodNotFound, "The client of this call cannot be asked");
        return await deps.questions.ask(asking, request, aborting, ask);
      },
    };
  }
}

const none: JsonObject = {};

function isEmpty(object: object): boolean {
  for (const _member in object) return false;
  return true;
}

function bindingOf({ message, exchange }: Made, kind: string): StateBinding {
  return { kind, principal: principalOf(exchange.caller), digest: requestDigest(message, exchange.address.upstream) };
}

/** Tells a client what is said on the way, where it wants to hear of it. */
function tell(client: ClientSide, { stream }: Exchange, method: string, params: JsonObject): void {
  if (method === "notifications/progress") {
    if (client.progressToken === null) return;
    stream.send({ jsonrpc: "2.0", method, params: { ...params, progressToken: client.progressToken } });
  } else if (method === "notifications/message" && isLoud(params["level"], client.logLevel)) {
    stream.send({ jsonrpc: "2.0", method, params });
  }
}

const noSession = refuse(
  200,
  rpcCodes.missingCapability,
  "The upstream asks its client something, which needs a session: shake hands first",
);

type NeedsInput = { result: { inputRequired: InputRequired } };

function needsInput(outcome: ActionOutcome): outcome is ActionOutcome & NeedsInput {
  return outcome.type === "succeeded" && outcome.result.inputRequired !== undefined;
}

function invalidState(what: string): Refusal {
  return refuse(200, rpcCodes.invalidParams, `Invalid params: ${what}`);
}

function isLoud(level: unknown, wanted: string | null): boolean {
  return wanted !== null && typeof level === "string" && logLevels.indexOf(level) >= logLevels.indexOf(wanted);
}

function missingCapabilities(questions: readonly ServerRequest[], capabilities: JsonObject): Refusal | null {
  const missing = questions.map(({ method }) => capabilityFor(method)).filter((name) => name !== null && capabilities[name] === undefined);
  if (missing.length === 0) return null;
  const names = [...new Set(missing)].filter((name) => name !== null);
  const requiredCapabilities = Object.fromEntries(names.map((name) => [name, {}]));
  return refuse(400, rpcCodes.missingCapability, `The upstream asks for what this client or its agent does not have: ${names.join(", ")}`, {
    requiredCapabilities,
  });
}

const noRetry = { type: "retry", retry: {} } as const;

function retryOf(message: RpcRequest, client: ClientSide): { type: "retry"; retry: Continuation } | Refusal {
  const { requestState, inputResponses } = message.params;
  if (!client.stateless || (requestState === undefined && inputResponses === undefined)) return noRetry;
  if (requestState !== undefined && typeof requestState !== "string")
    return refuse(400, rpcCodes.invalidParams, "Invalid params: requestState must be text");
  if (inputResponses !== undefined && !isObject(inputResponses))
    return refuse(400, rpcCodes.invalidParams, "Invalid params: inputResponses must be an object");
  const retry = { ...(inputResponses === undefined ? {} : { inputResponses }), ...(requestState === undefined ? {} : { requestState }) };
  return { type: "retry", retry };
}

function idempotencyKeyOf(message: RpcRequest): string | null | Refusal {
  const key = metaOf(message)["remit/idempotency-key"];
  if (key === undefined) return null;
  if (typeof key === "string" && key !== "" && key.length <= 200) return key;
  return refuse(200, rpcCodes.invalidParams, 'Invalid params: _meta["remit/idempotency-key"] must be text of 1 to 200 characters');
}

/** Each round of a conversation is an action of its own, so each has a key of its own. */
function keyFor(key: string | null, continuation: Continuation | null): string | null {
  if (key === null || continuation === null) return key;
  return `${key}#${hash("sha256", canonicalJson({ ...continuation }), "base64url")}`;
}
