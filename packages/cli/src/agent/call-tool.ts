import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { z } from "zod";
import type { AgentAccess } from "./agent-access.ts";

/** What became of a call, as the gateway tells it. */
export type CallOutcome =
  | { type: "succeeded"; actionId: string }
  | { type: "denied"; code: string; reason: string }
  | { type: "waiting"; approvalId: string; link: string; reason: string }
  | { type: "failed"; code: string; reason: string };

const version = "2026-07-28";
const outcomeSchema = z.union([
  z.looseObject({ type: z.literal("denied"), code: z.string(), reason: z.string() }),
  z.looseObject({ type: z.literal("failed"), code: z.string(), reason: z.string() }),
  z.looseObject({ type: z.literal("waiting"), approvalId: z.string(), link: z.string(), reason: z.string() }),
]);
const answerSchema = z.looseObject({
  result: z
    .looseObject({
      isError: z.boolean().default(false),
      _meta: z.looseObject({ "remit/action": z.string().optional(), "remit/outcome": outcomeSchema.optional() }).default({}),
    })
    .optional(),
  error: z
    .looseObject({ message: z.string(), data: z.looseObject({ code: z.string(), reason: z.string() }).partial().optional() })
    .optional(),
});

export type ToolCall = { upstream: string; tool: string; arguments: JsonObject; idempotencyKey?: string; timeoutMs: number };

/** Calls a tool of one upstream through the gateway. @throws RemitError where no outcome is known. */
export async function callTool(access: AgentAccess, call: ToolCall): Promise<CallOutcome> {
  try {
    return await callOnce(access, call);
  } catch (error) {
    if (!RemitError.is(error) || error.code !== "unauthenticated") throw error;
    await access.forget();
    return await callOnce(access, call);
  }
}

async function callOnce(access: AgentAccess, call: ToolCall): Promise<CallOutcome> {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": version,
    "io.modelcontextprotocol/clientInfo": { name: "remit-hook", version: "0.1.0" },
    "io.modelcontextprotocol/clientCapabilities": {},
    ...(call.idempotencyKey === undefined ? {} : { "remit/idempotency-key": call.idempotencyKey }),
  };
  const token = await access.token();
  let text: string;
  let status: number;
  try {
    const response = await fetch(`${access.mcpUrl.replace(/\/+$/, "")}/${encodeURIComponent(call.upstream)}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": version,
        "mcp-method": "tools/call",
        "mcp-name": call.tool,
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: call.tool, arguments: call.arguments, _meta: meta },
      }),
      signal: AbortSignal.timeout(call.timeoutMs),
      redirect: "error",
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    throw new RemitError("server-unavailable", `Remit cannot be reached at ${new URL(access.mcpUrl).origin}.`, { cause: error });
  }
  if (status === 401) throw new RemitError("unauthenticated", "Remit does not take the agent's token.");
  const parsed = answerSchema.safeParse(parseJson(text));
  if (!parsed.success) throw new RemitError("server-unavailable", `Remit answered ${status} with something that is not understood.`);
  const { result, error } = parsed.data;
  if (error !== undefined) {
    return { type: "denied", code: error.data?.code ?? "invalid-request", reason: error.data?.reason ?? error.message };
  }
  const outcome = result?._meta["remit/outcome"];
  if (outcome !== undefined) return outcome;
  const actionId = result?._meta["remit/action"];
  if (result === undefined || result.isError || actionId === undefined)
    throw new RemitError("server-unavailable", "Remit did not say what became of the call.");
  return { type: "succeeded", actionId };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
