import { errorTable, problemSchema, RemitError } from "@remit/contract";
import type { ErrorCode, Issue } from "@remit/contract";
import { z } from "zod";

/** Who asks: a person with a session, whoever owns the data folder, or nobody yet. */
export type Credential = { type: "session"; token: string } | { type: "machine"; key: string } | { type: "none" };

type Request<Schema extends z.ZodType> = {
  method?: "GET" | "POST" | "DELETE";
  /** With its query. Parts that come from outside are encoded by {@link path}. */
  path: string;
  body?: unknown;
  response: Schema;
  timeoutMs?: number;
  signal?: AbortSignal;
};

/** Remit's HTTP API. */
export type HttpClient = {
  url: string;
  /** @throws RemitError with the server's own code, or `server-unavailable`. */
  send<Schema extends z.ZodType>(request: Request<Schema>): Promise<z.infer<Schema>>;
  /** Server-sent events, from after the one of this id on; for as long as the server and the signal let it. */
  stream(path: string, lastEventId: string | null, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** What is a file, not JSON. @throws RemitError as {@link send} does. */
  text(path: string): Promise<string>;
  /** The answer as it is, for `remit api`. */
  raw(method: string, path: string, body?: string): Promise<{ status: number; type: string; text: string }>;
  /** An answer that is too large to hold, piece by piece. @throws RemitError like `send`, also where it breaks off in the middle. */
  download(method: string, path: string, body: unknown, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
};

export function createHttpClient(url: string, credential: Credential): HttpClient {
  const base = url.replace(/\/+$/, "");
  const authorization =
    credential.type === "session" ? `Bearer ${credential.token}` : credential.type === "machine" ? `Machine ${credential.key}` : undefined;

  const headers = (body: string | undefined) => ({
    accept: "application/json",
    ...(authorization === undefined ? {} : { authorization }),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  });
  const unreachable = (error: unknown) =>
    new RemitError("server-unavailable", `No server answers at ${base}${causeOf(error)}.`, { cause: error });

  async function exchange(method: string, target: string, body: string | undefined, timeoutMs: number, signal?: AbortSignal) {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(`${base}${target}`, {
        method,
        headers: headers(body),
        ...(body === undefined ? {} : { body }),
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        // A session token must not follow a redirect to somewhere else.
        redirect: "error",
      });
      return { status: response.status, type: response.headers.get("content-type") ?? "", text: await response.text() };
    } catch (error) {
      if (signal?.aborted === true) throw new RemitError("cancelled", "Interrupted.", { cause: error });
      if (timeout.aborted)
        throw new RemitError("server-unavailable", `${base} did not answer within ${timeoutMs / 1000} s.`, { cause: error });
      throw unreachable(error);
    }
  }

  async function open(method: string, target: string, body: string | undefined, signal: AbortSignal): Promise<Response> {
    try {
      return await fetch(`${base}${target}`, {
        method,
        headers: headers(body),
        ...(body === undefined ? {} : { body }),
        signal,
        redirect: "error",
      });
    } catch (error) {
      throw signal.aborted ? new RemitError("cancelled", "Interrupted.", { cause: error }) : unreachable(error);
    }
  }

  return {
    url: base,
    async send({ method = "GET", path, body, response, timeoutMs = 30_000, signal }) {
      const answer = await exchange(method, path, body === undefined ? undefined : JSON.stringify(body), timeoutMs, signal);
      const value = parseJson(answer.text);
      if (answer.status >= 400) throw problemOf(answer.status, value);
      const parsed = response.safeParse(value);
      if (!parsed.success) {
        throw new RemitError(
          "internal",
          `${base}${path} answered something that this version of remit does not understand: ${z.prettifyError(parsed.error)}`,
        );
      }
      return parsed.data;
    },
    async stream(target, lastEventId, signal) {
      const response = await fetch(`${base}${target}`, {
        headers: {
          accept: "text/event-stream",
          ...(authorization === undefined ? {} : { authorization }),
          ...(lastEventId === null ? {} : { "last-event-id": lastEventId }),
        },
        signal,
        redirect: "error",
      }).catch((error: unknown) => {
        throw new RemitError("server-unavailable", `No server answers at ${base}${causeOf(error)}.`, { cause: error });
      });
      if (!response.ok || response.body === null) throw problemOf(response.status, parseJson(await response.text()));
      return response.body;
    },
    async text(path) {
      const answer = await exchange("GET", path, undefined, 60_000);
      if (answer.status >= 400) throw problemOf(answer.status, parseJson(answer.text));
      return answer.text;
    },
    raw: (method, target, body) => exchange(method, target, body, 60_000),
    async download(method, target, body, signal) {
      const response = await open(method, target, body === undefined ? undefined : JSON.stringify(body), signal);
      if (response.status >= 400) throw problemOf(response.status, parseJson(await response.text()));
      return piecesOf(response, base, signal);
    },
  };
}

async function* piecesOf(response: Response, base: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of response.body ?? []) yield piece;
  } catch (error) {
    if (signal.aborted) throw new RemitError("cancelled", "Interrupted.", { cause: error });
    throw new RemitError("server-unavailable", `What ${base} was sending broke off${causeOf(error)}.`, { cause: error });
  }
}

/** A path of which every part is encoded: an id from outside cannot reach another route. */
export function path(strings: TemplateStringsArray, ...values: readonly string[]): string {
  return strings.reduce((text, part, index) => text + encodeURIComponent(values[index - 1] ?? "") + part);
}

/** `?a=1&b=2` of what is not undefined. */
export function query(values: Record<string, string | number | undefined>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined) parameters.set(key, String(value));
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}

/** RFC 9457, or whatever a proxy in between has said instead. */
export function problemOf(status: number, value: unknown): RemitError {
  const problem = problemSchema.safeParse(value);
  if (!problem.success) return new RemitError(codeOfStatus(status), `The server answered ${status}.`);
  const { code, detail, issues } = problem.data;
  const known = Object.hasOwn(errorTable, code) ? (code as ErrorCode) : codeOfStatus(status);
  return new RemitError(known, detail, { issues: issues as Issue[] });
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return "unauthenticated";
  if (status === 403) return "forbidden";
  if (status === 404) return "not-found";
  if (status === 409) return "conflict";
  if (status === 413) return "too-large";
  if (status === 422) return "invalid-arguments";
  if (status === 502 || status === 503 || status === 504) return "server-unavailable";
  return status < 500 ? "invalid-request" : "internal";
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
}

function parseJson(text: string): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
