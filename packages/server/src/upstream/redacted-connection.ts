import { RemitError } from "@remit/contract";
import { RpcError } from "../mcp/rpc-error.ts";
import type { Redact } from "../secret/broker.ts";
import type { Connection, RequestOptions } from "./connection.ts";

/** A connection that repeats no secret: whatever its upstream says, in results, errors, questions, notices or on stderr, is cleaned first. */
export function redactedConnection(connection: Connection, redact: Redact): Connection {
  const refuse = (error: unknown): never => {
    throw redactedError(error, redact);
  };
  return {
    ...connection,
    capabilities: redact.json(connection.capabilities),
    request(method, params, options) {
      try {
        return connection.request(method, params, heard(options, redact)).then(redact.json, refuse);
      } catch (error) {
        return Promise.reject(redactedError(error, redact));
      }
    },
    onClosed: (listener) => connection.onClosed((reason) => listener(redact.text(reason))),
    onNotification: (listener) => connection.onNotification((method, params) => listener(method, redact.json(params))),
    answerBeside: (handler) => connection.answerBeside((request, signal) => handler(redact.json(request), signal)),
    stderr: () => connection.stderr().map(redact.text),
  };
}

/** What is told and asked on the way is cleaned too. */
function heard(options: RequestOptions, redact: Redact): RequestOptions {
  const { onNotification, onServerRequest } = options;
  if (onNotification === undefined && onServerRequest === undefined) return options;
  return {
    signal: options.signal,
    by: options.by,
    headers: options.headers,
    capabilities: options.capabilities,
    progress: options.progress ?? false,
    onNotification: onNotification && ((told, said) => onNotification(told, redact.json(said))),
    onServerRequest: onServerRequest && ((request, signal) => onServerRequest(redact.json(request), signal)),
  };
}

/** The same error without what it must not repeat. Its cause is kept only where it is one of ours. */
export function redactedError(error: unknown, redact: Redact): unknown {
  if (RemitError.is(error)) {
    const issues = error.issues.map((issue) => ({ ...issue, message: redact.text(issue.message) }));
    const cause = error.cause === undefined ? undefined : redactedError(error.cause, redact);
    return new RemitError(error.code, redact.text(error.message), { issues, cause });
  }
  if (error instanceof RpcError) return new RpcError(error.code, redact.text(error.message), redact.json(error.data));
  if (!(error instanceof Error)) return error;
  const message = redact.text(error.message);
  // A class that says what to do next is the same class afterwards.
  if (message === error.message && error.cause === undefined) return error;
  return Object.assign(new Error(message), { name: error.name });
}
