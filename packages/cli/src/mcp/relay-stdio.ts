import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { SdkHttpError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import type { JsonObject } from "@remit/contract";
import { headerParameters, metaKeys, parameterHeaders, rpcCodes } from "@remit/server/mcp";
import type { AgentAccess } from "../agent/agent-access.ts";

export type RelayOptions = {
  url: string;
  access: AgentAccess;
  stdin: Readable;
  stdout: Writable;
  /** Told what goes wrong without being anybody's answer. */
  say: (message: string) => void;
  /** Ends it, as the end of stdin does. */
  signal: AbortSignal;
};

type Id = string | number;
type Message = JsonObject & { id?: Id; method?: string; params?: JsonObject };

/** What was asked may still be answered for so long after stdin has ended. Milliseconds. */
const drainMs = 5_000;

/**
 * Carries messages between a client that speaks over stdin and stdout and the gateway, until stdin ends. Nothing is read into them: what
 * a message means is between the two, and only what HTTP needs in headers is taken from it.
 */
export async function relayStdio({ url, access, stdin, stdout, say, signal }: RelayOptions): Promise<void> {
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    authProvider: { token: () => access.token(), onUnauthorized: () => access.forget() },
  });
  const open = new Map<Id, { method: string; stateless: boolean; ending: AbortController }>();
  const schemas = new Map<string, JsonObject>();
  const idle: (() => void)[] = [];

  function tell(message: JsonObject): void {
    stdout.write(`${JSON.stringify(message)}\n`);
  }

  function settle(id: Id): void {
    open.delete(id);
    if (open.size === 0) for (const done of idle.splice(0)) done();
  }

  function hear(received: JSONRPCMessage): void {
    const message = received as unknown as Message;
    const asked = message.method === undefined && message.id !== undefined ? open.get(message.id) : undefined;
    const result = message["result"] as JsonObject | undefined;
    if (asked?.method === "initialize" && typeof result?.["protocolVersion"] === "string")
      transport.setProtocolVersion(result["protocolVersion"]);
    if (asked?.method === "tools/list") remember(result?.["tools"]);
    tell(message);
    if (asked !== undefined && message.id !== undefined) settle(message.id);
  }

  function complain(error: Error): void {
    // What failed to be sent is told to whoever sent it.
    if (!signal.aborted) say(error.message);
  }

  Object.assign(transport, { onmessage: hear, onerror: complain });
  await transport.start();

  function remember(tools: unknown): void {
    if (!Array.isArray(tools)) return;
    for (const tool of tools as { name?: unknown; inputSchema?: unknown }[]) {
      if (typeof tool.name === "string" && isObject(tool.inputSchema)) schemas.set(tool.name, tool.inputSchema);
    }
  }

  /** Arguments that the stateless revision wants in headers too. */
  function headersOf({ method, params }: Message): Record<string, string> | undefined {
    if (method !== "tools/call" || !isStateless(params)) return undefined;
    const name = params?.["name"];
    const schema = typeof name === "string" ? schemas.get(name) : undefined;
    const args = params?.["arguments"];
    return schema === undefined || !isObject(args) ? undefined : parameterHeaders(headerParameters(schema), args);
  }

  function send(message: Message): void {
    const { id, method } = message;
    // Over HTTP the stateless revision cancels by closing the stream of the answer.
    const cancelled = method === "notifications/cancelled" ? open.get(message.params?.["requestId"] as Id) : undefined;
    if (cancelled?.stateless === true) return cancelled.ending.abort();
    const isRequest = id !== undefined && method !== undefined;
    const ending = new AbortController();
    if (isRequest) open.set(id, { method, stateless: isStateless(message.params), ending });
    const headers = headersOf(message);
    const options = {
      ...(isRequest ? { requestSignal: ending.signal, onRequestStreamEnd: () => settle(id) } : {}),
      ...(headers === undefined ? {} : { headers }),
    };
    transport.send(message as unknown as JSONRPCMessage, options).catch((error: unknown) => {
      if (!isRequest || !open.has(id)) return;
      settle(id);
      if (!ending.signal.aborted) tell({ jsonrpc: "2.0", id, error: errorOf(error) });
    });
  }

  const lines = createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const stop = () => lines.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const line of lines) {
      if (line.trim() === "") continue;
      const message = parse(line);
      if (message === null)
        tell({ jsonrpc: "2.0", id: null, error: { code: rpcCodes.parseError, message: "Parse error: not a JSON-RPC message" } });
      else send(message);
    }
    if (open.size > 0 && !signal.aborted) await idleWithin(drainMs);
  } finally {
    signal.removeEventListener("abort", stop);
    await transport.terminateSession().catch(() => undefined);
    await transport.close();
  }

  async function idleWithin(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, ms);
      idle.push(() => {
        clearTimeout(late);
        resolve();
      });
    });
  }
}

function isStateless(params: JsonObject | undefined): boolean {
  const meta = params?.["_meta"];
  return isObject(meta) && typeof meta[metaKeys.protocolVersion] === "string";
}

/** The gateway's own error, where the answer was one; else words that say what to look at. */
function errorOf(error: unknown): JsonObject {
  const text = error instanceof SdkHttpError ? (error.data as { text?: unknown } | undefined)?.text : undefined;
  const body = typeof text === "string" ? parse(text) : null;
  if (isObject(body?.["error"])) return body["error"];
  return {
    code: rpcCodes.internalError,
    message: `Remit's gateway cannot be asked: ${error instanceof Error ? error.message : String(error)}`,
  };
}

function parse(text: string): Message | null {
  try {
    const value = JSON.parse(text) as unknown;
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
