import type { Transport } from "@modelcontextprotocol/client";
import { JSONRPCMessageSchema } from "@modelcontextprotocol/core";
import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { TransientMap } from "@remit/core";
import { readJson } from "../json/read-json.ts";
import type { Child } from "./child-process.ts";
import type { RequestOptions } from "./connection.ts";
import { firstRequestId, isObject, maxMessageBytes, resultOfResponse, withProgress } from "./connection.ts";
import { createLineReader } from "./line-reader.ts";
import { createSideTraffic } from "./side-traffic.ts";
import { printable } from "../log/printable.ts";

/**
 * One child's stdin and stdout, shared by two speakers: the SDK's client, which shakes hands and hears notifications, and our own
 * requests, whose answers are handed over as they came instead of being parsed into schemas and rebuilt.
 */
export type StdioChannel = {
  transport: Transport;
  request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject>;
  notify(method: string, params: JsonObject): void;
  onNotification(listener: (method: string, params: JsonObject) => void): void;
  answerBeside(handler: NonNullable<RequestOptions["onServerRequest"]>): void;
};

type Pending = { resolve: (result: JsonObject) => void; reject: (error: Error) => void; signal: AbortSignal; aborted: () => void };

/**
 * @param exclusive whether the child serves one client alone
 * @param onNoise told what the child wrote that is no answer to anything
 */
export function openStdioChannel(
  upstream: string,
  child: Child,
  { exclusive, onNoise }: { exclusive: boolean; onNoise: (what: string) => void },
): StdioChannel {
  const pending = new TransientMap<number, Pending>();
  let nextId = firstRequestId;
  let ended: string | null = null;
  const side = createSideTraffic({ exclusive, answer: (message) => void child.write(`${JSON.stringify(message)}\n`) });

  // `pid` and `stderr` tell the SDK that this is a stdio transport: silence then means an old server, not an outage.
  const transport: Transport & { pid: number; stderr: null } = {
    pid: child.pid,
    stderr: null,
    start: () => Promise.resolve(),
    send(message) {
      if (!child.write(`${JSON.stringify(message)}\n`)) return Promise.reject(new Error("the upstream's stdin is closed"));
      return Promise.resolve();
    },
    close: () => child.stop(),
  };

  /** Takes a request out, however it ended. */
  function settle(id: number, { resolve, reject, signal, aborted }: Pending, outcome: JsonObject | RemitError): void {
    pending.delete(id);
    side.untrack(id);
    signal.removeEventListener("abort", aborted);
    if (RemitError.is(outcome)) reject(outcome);
    else resolve(outcome);
  }

  /** Nobody waits for the answer any more. */
  function cancel(id: number, { reject, signal }: Pending): void {
    pending.delete(id);
    side.untrack(id);
    const params = { requestId: id, reason: messageOf(signal.reason) };
    child.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params })}\n`);
    reject(signal.reason as Error);
  }

  function receive(line: string): void {
    const message = parse(line);
    if (message === null) {
      if (line.trim() !== "") onNoise(`wrote to stdout what is no JSON-RPC message: ${printable(line.slice(0, 200))}`);
      return;
    }
    const id = message["id"];
    if (message["method"] === undefined && typeof id === "number" && id >= firstRequestId) {
      const waiting = pending.get(id);
      if (waiting === undefined) {
        onNoise(`answered request ${id}, which is not waiting for an answer`);
        return;
      }
      settle(id, waiting, resultOfResponse(upstream, message));
      return;
    }
    const parsed = JSONRPCMessageSchema.safeParse(message);
    if (!parsed.success) return onNoise("wrote a message that is no valid JSON-RPC");
    // What is asked is answered by us alone. What is told, the SDK hears too: it knows of lists that it asked to be told of.
    if (message["method"] !== undefined) side.receive(message);
    if (message["method"] === undefined || id === undefined) transport.onmessage?.(parsed.data);
  }

  function receiveOverlong(beginning: string, end: string): void {
    // Servers write the id first or last. One that writes it elsewhere is answered for by the timeout of its call.
    const id = Number(/"id":(\d{7,15})[,}]/.exec(beginning)?.[1] ?? /"id":(\d{7,15})\}?\s*$/.exec(end)?.[1]);
    const limit = `${maxMessageBytes / 1024 / 1024} MB`;
    onNoise(`wrote a message over ${limit}`);
    const waiting = pending.get(id);
    if (waiting === undefined) return;
    settle(
      id,
      waiting,
      new RemitError("upstream-error", `upstream "${upstream}" answered with more than ${limit}; the answer was dropped`),
    );
  }

  const lines = createLineReader(maxMessageBytes, { line: receive, overlong: receiveOverlong });
  child.onStdout((chunk) => lines.push(chunk));
  child.onEnded((how) => {
    ended = how;
    for (const [id, waiting] of pending.entries()) {
      const message = `the call was sent to upstream "${upstream}", then ${how}; whether it was done is not known`;
      settle(id, waiting, new RemitError("outcome-unknown", message));
    }
    transport.onclose?.();
  });

  return {
    transport,
    notify: (method, params) => void child.write(`${JSON.stringify({ jsonrpc: "2.0", method, params })}\n`),
    onNotification: (listener) => side.onNotification(listener),
    answerBeside: (handler) => side.answerBeside(handler),
    request(method, params, options) {
      const { signal } = options;
      signal.throwIfAborted();
      if (ended !== null) throw unavailable(upstream, ended);
      const id = nextId;
      nextId += 1;
      side.track(id, options);
      return new Promise((resolve, reject) => {
        const waiting: Pending = { resolve, reject, signal, aborted: () => cancel(id, waiting) };
        pending.set(id, waiting);
        signal.addEventListener("abort", waiting.aborted);
        if (!child.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params: withProgress(params, id, options) })}\n`))
          settle(id, waiting, unavailable(upstream, "its stdin is closed"));
      });
    },
  };
}

function unavailable(upstream: string, why: string): RemitError {
  return new RemitError("upstream-unavailable", `upstream "${upstream}" is not running (${why}); nothing was sent`);
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : "cancelled";
}

function parse(line: string): JsonObject | null {
  if (!line.startsWith("{")) return null;
  try {
    const value: unknown = readJson(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
