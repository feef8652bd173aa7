import type { Transport } from "@modelcontextprotocol/client";
import { JSONRPCMessageSchema } from "@modelcontextprotocol/core";
import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
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

type Pending = { settle(outcome: JsonObject | RemitError): void };

/**
 * @param exclusive whether the child serves one client alone
 * @param onNoise told what the child wrote that is no answer to anything
 */
export function openStdioChannel(
  upstream: string,
  child: Child,
  { exclusive, onNoise }: { exclusive: boolean; onNoise: (what: string) => void },
): StdioChannel {
  const pending = new Map<number, Pending>();
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
      waiting.settle(resultOfResponse(upstream, message));
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
    pending
      .get(id)
      ?.settle(new RemitError("upstream-error", `upstream "${upstream}" answered with more than ${limit}; the answer was dropped`));
  }

  const lines = createLineReader(maxMessageBytes, { line: receive, overlong: receiveOverlong });
  child.onStdout((chunk) => lines.push(chunk));
  child.onEnded((how) => {
    ended = how;
    for (const waiting of pending.values()) {
      waiting.settle(
        new RemitError("outcome-unknown", `the call was sent to upstream "${upstream}", then ${how}; whether it was done is not known`),
      );
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
      const untrack = side.track(id, options);
      return new Promise((resolve, reject) => {
        const aborted = () => {
          pending.delete(id);
          untrack();
          const cancelled = {
            jsonrpc: "2.0",
            method: "notifications/cancelled",
            params: { requestId: id, reason: messageOf(signal.reason) },
          };
          child.write(`${JSON.stringify(cancelled)}\n`);
          reject(signal.reason as Error);
        };
        pending.set(id, {
          settle(outcome) {
            pending.delete(id);
            untrack();
            signal.removeEventListener("abort", aborted);
            if (RemitError.is(outcome)) reject(outcome);
            else resolve(outcome);
          },
        });
        signal.addEventListener("abort", aborted, { once: true });
        if (!child.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params: withProgress(params, id, options) })}\n`)) {
          pending.get(id)?.settle(unavailable(upstream, "its stdin is closed"));
        }
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
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
