import type { ActionOutcome } from "@remit/contract";
import { isReservedToolName, qualifiedToolName } from "@remit/contract";
import type { RegisteredTool } from "@remit/core";
import { parameterHeaderMismatch } from "../mcp/header-parameters.ts";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { ActionCaller } from "./call-action.ts";
import type { ClientSide } from "./client-side.ts";
import type { Exchange } from "./exchange.ts";
import { resultOf } from "./outcome-result.ts";
import type { Refusal } from "./refusal.ts";
import { refuse, refuseFault, refuseHeader } from "./refusal.ts";
import { ownName, sharedContents } from "./resource-names.ts";
import { markedJson, resultJson } from "./results.ts";
import type { RpcRequest } from "./rpc-message.ts";
import type { ToolEntries } from "./tool-entries.ts";

/** `tools/call`: the result as JSON text. */
export type ToolCaller = (message: RpcRequest, client: ClientSide, exchange: Exchange) => Promise<string | Refusal>;

export function createToolCaller(deps: { call: ActionCaller; registry: RegistrySource; entries: ToolEntries }): ToolCaller {
  /** Only to shape the answer: whether the tool may be used is for the path to say. */
  function findTool(qualifiedName: string): RegisteredTool | null {
    try {
      return deps.registry.current().tools.get(qualifiedName) ?? null;
    } catch {
      return null;
    }
  }

  return async (message, client, exchange) => {
    const { address, headers } = exchange;
    const { name, arguments: args = {} } = message.params;
    if (typeof name !== "string" || name === "" || name.length > 256) {
      return refuse(200, rpcCodes.invalidParams, "Invalid params: name must be text of 1 to 256 characters");
    }
    const own = address.upstream === null ? ownName(name) : { upstream: address.upstream, name };
    // An operation has a method of its own, with what belongs to it.
    if (own !== null && isReservedToolName(own.name)) return refuse(200, rpcCodes.invalidParams, `Unknown tool: ${name}`);
    const tool = address.upstream === null ? name : qualifiedToolName(address.upstream, name);
    const registered = findTool(tool);
    if (client.stateless && registered !== null) {
      const mismatch = parameterHeaderMismatch(deps.entries.headerParameters(registered), args, headers);
      if (mismatch !== null) return refuseHeader(mismatch);
    }
    const called = await deps.call({ message, exchange, client, upstream: own?.upstream ?? null, tool, arguments: args });
    if (called.type === "refusal") return called;
    if (called.type === "waits") return markedJson(called.result);
    if (called.type === "input") return resultJson({ ...called.input }, client.stateless, "input_required");
    const { outcome } = called;
    const refusal = refusalOf(outcome, name, client.stateless);
    if (refusal !== null) return refusal;
    const result = resultOf(outcome, registered !== null && registered.pin?.outputSchema === null, called.missing);
    if (address.upstream === null && own !== null) result.content = sharedContents(own.upstream, result.content);
    return resultJson(result, client.stateless);
  };
}

/** What is an error of the protocol and not a result of the tool. */
function refusalOf(outcome: ActionOutcome, name: string, stateless: boolean): Refusal | null {
  if (outcome.type === "failed" && outcome.fault !== undefined) return refuseFault(outcome.fault, stateless);
  if (outcome.type !== "denied" || outcome.code !== "unknown-tool") return null;
  const { code, reason, actionId } = outcome;
  return refuse(200, rpcCodes.invalidParams, `Unknown tool: ${name}`, { code, reason, actionId });
}
