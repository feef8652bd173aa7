import { randomUUID } from "node:crypto";
import type { ActionOutcome, Caller, Id, JsonObject } from "@remit/contract";
import { errorTable, operationOfMethod, operations, qualifiedToolName } from "@remit/contract";
import type { ActionPath } from "../action/action-path.ts";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { ServerRequest } from "../upstream/connection.ts";
import { isObject } from "./rpc-message.ts";

/** In whose name an upstream asks, and where. */
export type Asking = { caller: Caller; upstream: string; traceparent: string | undefined };

/** What upstreams ask of clients. Each question is an action of the agent's: an upstream may not phish a person or spend a model's budget by itself. */
export type Questions = {
  /** What of a client's capabilities an upstream is told: what it has, and the agent may let happen. */
  grantedCapabilities(caller: Caller, upstream: string, declared: JsonObject): JsonObject;
  /**
   * Has a question decided, recorded and then answered by `deliver`.
   * @throws RpcError as the answer: refused, or what the client said
   */
  ask(asking: Asking, request: ServerRequest, signal: AbortSignal, deliver: Deliver): Promise<JsonObject>;
  /** Has a question decided and recorded that goes to the client within a result; the outcome says whether it may. */
  handOver(asking: Asking, request: ServerRequest, signal: AbortSignal): Promise<ActionOutcome>;
};

export type Deliver = (request: ServerRequest, signal: AbortSignal) => Promise<JsonObject>;

/** The capability that a client has where it can be asked by a method. */
const capabilityOf = new Map([
  ["elicitation/create", "elicitation"],
  ["sampling/createMessage", "sampling"],
  ["roots/list", "roots"],
]);

/** Which capability a question needs; null: there is no such question. */
export function capabilityFor(method: string): string | null {
  return capabilityOf.get(method) ?? null;
}

/** @param withdraw calls off a request for approval: whoever would grant it finds nobody left to be asked */
export function createQuestions(
  path: Pick<ActionPath, "act" | "couldAct">,
  withdraw: (id: Id<"approval">) => Promise<unknown> = async () => undefined,
): Questions {
  function attempt(asking: Asking, { method, params }: ServerRequest, signal: AbortSignal, deliver: Deliver): Promise<ActionOutcome> {
    const operation = operationOfMethod(method);
    if (operation?.asks !== "client") throw new RpcError(rpcCodes.methodNotFound, `Method not found: ${method}`);
    const { _meta: meta, ...args } = params;
    return path.act(asking.caller, {
      tool: qualifiedToolName(asking.upstream, operation.name),
      arguments: args,
      // Two equal questions are two.
      idempotencyKey: randomUUID(),
      signal,
      ...(asking.traceparent === undefined ? {} : { traceparent: asking.traceparent }),
      perform: async (input, performing) => {
        const answer = await deliver({ method, params: meta === undefined ? input : { ...input, _meta: meta } }, performing);
        return { content: [], structuredContent: answer };
      },
    });
  }

  return {
    grantedCapabilities(caller, upstream, declared) {
      const granted: JsonObject = {};
      for (const operation of operations) {
        const capability = capabilityOf.get(operation.method);
        const value = capability === undefined ? undefined : declared[capability];
        if (capability === undefined || !isObject(value)) continue;
        if (!path.couldAct(caller, qualifiedToolName(upstream, operation.name), null)) continue;
        granted[capability] = value;
      }
      return granted;
    },
    async ask(asking, request, signal, deliver) {
      const outcome = await attempt(asking, request, signal, deliver);
      if (outcome.type === "succeeded") return outcome.result.structuredContent ?? {};
      if (outcome.type === "waiting") await withdraw(outcome.approvalId).catch(() => undefined);
      throw questionRefused(outcome);
    },
    async handOver(asking, request, signal) {
      const outcome = await attempt(asking, request, signal, async () => ({}));
      if (outcome.type !== "waiting") return outcome;
      await withdraw(outcome.approvalId).catch(() => undefined);
      const { actionId, reason } = outcome;
      return {
        type: "denied",
        actionId,
        code: "approval-cancelled",
        reason: `The upstream asks its client something. ${reason}`,
        policies: [],
      };
    },
  };
}

function questionRefused(outcome: Exclude<ActionOutcome, { type: "succeeded" }>): RpcError {
  if (outcome.type === "failed" && outcome.fault !== undefined) {
    return new RpcError(outcome.fault.code, outcome.fault.message, outcome.fault.data);
  }
  if (outcome.type === "waiting") {
    return new RpcError(
      errorTable["approval-pending"].rpc,
      `Refused by Remit: this would need the approval of ${outcome.teams.join(" and ")}`,
    );
  }
  return new RpcError(errorTable[outcome.code].rpc, `Refused by Remit: ${outcome.reason}`);
}
