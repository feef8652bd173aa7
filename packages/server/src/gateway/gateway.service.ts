import type { Caller, JsonObject } from "@remit/contract";
import { qualifiedToolName } from "@remit/contract";
import type { RegisteredTool } from "@remit/core";
import type { ActionPath, Attempt } from "../action/action-path.ts";
import { parameterHeaderMismatch } from "../mcp/header-parameters.ts";
import { handshakeVersions, metaKeys, remitInfo, rpcCodes, supportedVersions } from "../mcp/mcp-protocol.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { ApprovalAnswers } from "./approval-answer.ts";
import type { ApprovalTasks } from "./approval-tasks.ts";
import { tasksExtension } from "./client-abilities.ts";
import { createInFlight } from "./in-flight.ts";
import { resultOf } from "./outcome-result.ts";
import type { Refusal } from "./refusal.ts";
import { errorBody, refuse, refuseHeader } from "./refusal.ts";
import type { Headers } from "./revision.ts";
import { revisionOf } from "./revision.ts";
import type { RpcRequest } from "./rpc-message.ts";
import { metaOf, readMessage } from "./rpc-message.ts";
import { foreignState } from "./request-state.ts";
import { answerTaskRequest, taskMethods } from "./task-requests.ts";
import { createToolEntries } from "./tool-entries.ts";
import type { Address } from "./tool-list.ts";
import { pageOf } from "./tool-list.ts";
import { traceparentOf } from "./trace-context.ts";

export type GatewayDeps = {
  path: ActionPath;
  registry: RegistrySource;
  /** How calls that wait for a person are answered in the stateless revision; without, as in every other. */
  approvals?: { answers: ApprovalAnswers; tasks: ApprovalTasks };
  /** How many tools one page of `tools/list` holds. Many clients never ask for a second page. */
  pageSize?: number;
};

export type Exchange = { caller: Caller; address: Address; body: unknown; headers: Headers; signal: AbortController };

/** What goes back over HTTP. `body` is null where there is none. */
export type Answer = { status: number; body: string | null };

/** The relay: one message in, one answer out, nothing kept between two of them. */
export type Gateway = { answer(exchange: Exchange): Promise<Answer> };

/** A list may change with any halt or registry; a client that shows an old one is refused when it calls. Milliseconds. */
const listFreshMs = 5_000;

const instructions =
  "Every call passes through Remit, which decides what you may do. A result that begins with `Not done yet` waits for a person: " +
  "go on with other work and repeat exactly the same call later. A result that begins with `Refused by Remit` says why; " +
  "do not look for a way around it.";

const serverMeta = JSON.stringify({ [metaKeys.serverInfo]: remitInfo });

export function createGateway(deps: GatewayDeps): Gateway {
  const entries = createToolEntries();
  const inFlight = createInFlight();
  const pageSize = deps.pageSize ?? 500;

  async function request(message: RpcRequest, stateless: boolean, exchange: Exchange): Promise<string | Refusal> {
    switch (message.method) {
      case "tools/call":
        return await callTool(message, stateless, exchange);
      case "tools/list":
        return listTools(message, stateless, exchange);
      case "initialize":
        return stateless ? unknownMethod(message, stateless) : initialize(message);
      case "ping":
        return stateless ? unknownMethod(message, stateless) : "{}";
      case "server/discover":
        return stateless ? discover() : unknownMethod(message, stateless);
      default:
        if (stateless && deps.approvals !== undefined && taskMethods.has(message.method)) {
          const answer = await answerTaskRequest(deps.approvals.tasks, message, exchange);
          return answer["type"] === "refusal"
            ? (answer as Refusal)
            : JSON.stringify({ ...answer, _meta: { [metaKeys.serverInfo]: remitInfo } });
        }
        return unknownMethod(message, stateless);
    }
  }

  function listTools(message: RpcRequest, stateless: boolean, { caller, address }: Exchange): string | Refusal {
    const page = pageOf(deps.path.list(caller), address, message.params["cursor"], pageSize);
    if (page.type === "refusal") return page;
    const tools = page.tools.map(({ listed, name }) => entries.json(listed, name)).join(",");
    const next = page.nextCursor === null ? "" : `,"nextCursor":${JSON.stringify(page.nextCursor)}`;
    const modern = stateless ? `,"resultType":"complete","ttlMs":${listFreshMs},"cacheScope":"private","_meta":${serverMeta}` : "";
    return `{"tools":[${tools}]${next}${modern}}`;
  }

  async function callTool(asked: RpcRequest, stateless: boolean, exchange: Exchange): Promise<string | Refusal> {
    const { caller, address, headers, signal } = exchange;
    const asking = { caller, upstream: address.upstream };
    const resumed = stateless ? ((await deps.approvals?.answers.resume(asked, asking, signal.signal)) ?? null) : null;
    if (resumed?.type === "refusal") return resumed;
    const message = resumed?.message ?? asked;
    if (message.params["requestState"] !== undefined) return refuse(200, rpcCodes.invalidParams, `Invalid params: ${foreignState}`);
    const { name, arguments: args = {} } = message.params;
    if (typeof name !== "string" || name === "" || name.length > 256) {
      return refuse(200, rpcCodes.invalidParams, "Invalid params: name must be text of 1 to 256 characters");
    }
    const meta = metaOf(message);
    const idempotencyKey = meta["remit/idempotency-key"];
    if (idempotencyKey !== undefined && (typeof idempotencyKey !== "string" || idempotencyKey === "" || idempotencyKey.length > 200)) {
      return refuse(200, rpcCodes.invalidParams, 'Invalid params: _meta["remit/idempotency-key"] must be text of 1 to 200 characters');
    }
    const qualifiedName = address.upstream === null ? name : qualifiedToolName(address.upstream, name);
    const tool = findTool(qualifiedName);
    if (stateless && tool !== null) {
      const mismatch = parameterHeaderMismatch(entries.headerParameters(tool), args, headers);
      if (mismatch !== null) return refuseHeader(mismatch);
    }
    const traceparent = traceparentOf(meta["traceparent"], headers["traceparent"]);
    // Arguments of a wrong shape go along: they are refused on the path, where the attempt is recorded.
    const attempt: Attempt = {
      tool: qualifiedName,
      arguments: args,
      signal: signal.signal,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(traceparent === undefined ? {} : { traceparent }),
    };
    const done = inFlight.add(caller.tokenId, message.id, signal);
    const outcome = await deps.path.act(caller, attempt).finally(done);
    if (outcome.type === "denied" && outcome.code === "unknown-tool") {
      return refuse(200, rpcCodes.invalidParams, `Unknown tool: ${name}`, {
        code: outcome.code,
        reason: outcome.reason,
        actionId: outcome.actionId,
      });
    }
    const waiting =
      stateless && outcome.type === "waiting" ? ((await deps.approvals?.answers.answer(message, asking, outcome, resumed)) ?? null) : null;
    if (waiting !== null) {
      return JSON.stringify({ ...waiting, _meta: { ...(waiting["_meta"] as JsonObject), [metaKeys.serverInfo]: remitInfo } });
    }
    const result: JsonObject = { ...resultOf(outcome, tool !== null && tool.pin?.outputSchema === null) };
    if (!stateless) return JSON.stringify(result);
    const modernMeta = { ...(result["_meta"] as JsonObject | undefined), [metaKeys.serverInfo]: remitInfo };
    return JSON.stringify({ ...result, resultType: "complete", _meta: modernMeta });
  }

  /** Only to shape the answer: whether the tool may be used is for the path to say. */
  function findTool(qualifiedName: string): RegisteredTool | null {
    try {
      return deps.registry.current().tools.get(qualifiedName) ?? null;
    } catch {
      return null;
    }
  }

  return {
    async answer(exchange) {
      const message = readMessage(exchange.body);
      if (message.type === "refusal") return { status: message.http, body: errorBody(message, null) };
      const id = message.type === "request" ? message.id : null;
      const revision = revisionOf(message, exchange.headers);
      if (revision.type === "refusal") return { status: revision.http, body: errorBody(revision, id) };
      if (message.type === "notification") {
        if (message.method === "notifications/cancelled") inFlight.cancel(exchange.caller.tokenId, message.params["requestId"]);
        return { status: 202, body: null };
      }
      const result = await request(message, revision.stateless, exchange);
      if (typeof result !== "string") return { status: result.http, body: errorBody(result, id) };
      return { status: 200, body: `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":${result}}` };
    },
  };
}

function initialize(message: RpcRequest): string | Refusal {
  const wanted = message.params["protocolVersion"];
  if (typeof wanted !== "string") return refuse(200, rpcCodes.invalidParams, "Invalid params: protocolVersion must be text");
  const protocolVersion = handshakeVersions.find((version) => version === wanted) ?? handshakeVersions[0];
  return JSON.stringify({ protocolVersion, capabilities: { tools: { listChanged: false } }, serverInfo: remitInfo, instructions });
}

function discover(): string {
  return JSON.stringify({
    resultType: "complete",
    supportedVersions,
    capabilities: { tools: { listChanged: false }, extensions: { [tasksExtension]: {} } },
    instructions,
    ttlMs: 3_600_000,
    cacheScope: "private",
    _meta: { [metaKeys.serverInfo]: remitInfo },
  });
}

/** Clients of the handshake revisions take any HTTP error for a broken transport; the stateless revision asks for 404. */
function unknownMethod(message: RpcRequest, stateless: boolean): Refusal {
  return refuse(stateless ? 404 : 200, rpcCodes.methodNotFound, `Method not found: ${message.method}`);
}
