import { randomUUID } from "node:crypto";
import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { handshakeVersions, rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { ServerRequest } from "../upstream/connection.ts";
import type { EventStream } from "./event-stream.ts";
import type { KeptStreams } from "./kept-streams.ts";
import { createKeptStreams } from "./kept-streams.ts";
import type { RpcId } from "./refusal.ts";

/**
 * What a client of the handshake's revisions set up with `initialize`. In memory, and so of one server: a client whose session is not
 * known is told so and shakes hands again, as the protocol has it.
 */
export type Session = {
  id: string;
  principal: string;
  /** The upstream whose address it was made at, or null. */
  upstream: string | null;
  protocolVersion: string;
  capabilities: JsonObject;
  logLevel: string;
  /** Sends on the stream of the client's own, or keeps it until there is one. */
  send(message: JsonObject): void;
  /** The client's stream for what belongs to none of its requests. `after`: the last event that it has seen. */
  attach(stream: EventStream, after: string | null): void;
  /** The streams of its requests. */
  streams: KeptStreams;
  /** Asks the client, on the given stream where there is one. @throws RpcError the client's error, or why there is no answer */
  ask(request: ServerRequest, signal: AbortSignal, on: EventStream | null): Promise<JsonObject>;
  /** False: nothing was asked under this id, or it is answered already. */
  answered(id: RpcId, answer: JsonObject | RpcError): boolean;
  /** What ends with the session, by a name that replaces what had it before. */
  keep(name: string, end: () => void): void;
  release(name: string): boolean;
  kept(): number;
};

export type Sessions = {
  /** @throws RemitError `rate-exceeded` */
  open(about: Pick<Session, "principal" | "upstream" | "protocolVersion" | "capabilities">): Session;
  /** Null also where it is somebody else's. */
  find(id: string, principal: string, upstream: string | null): Session | null;
  end(session: Session): void;
  all(): Iterable<Session>;
  close(): void;
};

export type SessionLimits = { total: number; perPrincipal: number; idleMs: number; kept: number };

export const defaultSessionLimits: SessionLimits = { total: 10_000, perPrincipal: 64, idleMs: 30 * 60_000, kept: 256 };

type Held = { session: Session; seenAt: number; end(): void; attached(): boolean };

export function createSessions(deps: { limits: SessionLimits; monotonicMs: () => number; onEnded: (session: Session) => void }): Sessions {
  const { limits } = deps;
  const sessions = new Map<string, Held>();

  function end(held: Held): void {
    if (!sessions.delete(held.session.id)) return;
    held.end();
    deps.onEnded(held.session);
  }

  function sweep(): void {
    const oldest = deps.monotonicMs() - limits.idleMs;
    for (const held of sessions.values()) if (held.seenAt < oldest && !held.attached()) end(held);
  }
  const sweeping = setInterval(sweep, Math.min(limits.idleMs, 60_000));
  sweeping.unref();

  /** Makes room by ending the principal's own session that has been idle for longest: nobody's is ended for somebody else's. */
  function makeRoom(principal: string): void {
    const own = [...sessions.values()].filter(({ session }) => session.principal === principal).sort((a, b) => a.seenAt - b.seenAt);
    const [oldest] = own;
    if (own.length >= limits.perPrincipal && oldest !== undefined) end(oldest);
    if (sessions.size < limits.total) return;
    sweep();
    if (sessions.size < limits.total) return;
    throw new RemitError("rate-exceeded", `This server holds ${limits.total} sessions, which is all that it holds; try again later`);
  }

  return {
    open(about) {
      makeRoom(about.principal);
      const held = createSession(about, limits, deps.monotonicMs());
      sessions.set(held.session.id, held);
      return held.session;
    },
    find(id, principal, upstream) {
      const held = sessions.get(id);
      if (held === undefined || held.session.principal !== principal || held.session.upstream !== upstream) return null;
      held.seenAt = deps.monotonicMs();
      return held.session;
    },
    end(session) {
      const held = sessions.get(session.id);
      if (held !== undefined) end(held);
    },
    *all() {
      for (const { session } of sessions.values()) yield session;
    },
    close() {
      clearInterval(sweeping);
      for (const held of sessions.values()) end(held);
    },
  };
}

/** Events that a client may have missed, for when it comes back and says which it saw last. */
const maxMissed = 256;
const maxAsked = 64;

function createSession(
  about: Pick<Session, "principal" | "upstream" | "protocolVersion" | "capabilities">,
  limits: SessionLimits,
  seenAt: number,
): Held {
  const asked = new Map<RpcId, (answer: JsonObject | RpcError) => void>();
  const keeps = new Map<string, () => void>();
  let events: { number: number; message: JsonObject; seen: boolean }[] = [];
  let number = 0;
  let stream: EventStream | null = null;
  let asks = 0;
  const streams = createKeptStreams(about.protocolVersion === handshakeVersions[0]);

  function deliver(event: (typeof events)[number]): void {
    if (stream?.send(event.message, String(event.number)) === true) event.seen = true;
  }

  const session: Session = {
    ...about,
    id: randomUUID(),
    streams,
    logLevel: "info",
    send(message) {
      number += 1;
      const event = { number, message, seen: false };
      events = [...events.slice(1 - maxMissed), event];
      deliver(event);
    },
    attach(next, after) {
      // One stream: an event is sent once (MCP 2025-11-25, Multiple Connections). The newest is the one that is alive.
      stream?.end();
      stream = next;
      next.onClosed(() => {
        if (stream === next) stream = null;
      });
      const last = after === null ? null : Number(after);
      for (const event of events) if (last === null || !Number.isSafeInteger(last) ? !event.seen : event.number > last) deliver(event);
    },
    ask(request, signal, on) {
      if (asked.size >= maxAsked) throw new RpcError(rpcCodes.internalError, "The client has too many questions to answer already");
      asks += 1;
      const id = `remit-${asks}`;
      const message: JsonObject = { jsonrpc: "2.0", id, method: request.method, params: request.params };
      return new Promise((resolve, reject) => {
        const done = (answer: JsonObject | RpcError): void => {
          asked.delete(id);
          signal.removeEventListener("abort", aborted);
          if (answer instanceof RpcError) reject(answer);
          else resolve(answer);
        };
        const aborted = (): void => {
          done(new RpcError(rpcCodes.internalError, "Nobody waits for the answer any more"));
          const taken = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } };
          if (on?.send(taken) !== true) session.send(taken);
        };
        if (signal.aborted) return reject(new RpcError(rpcCodes.internalError, "Nobody waits for the answer any more"));
        asked.set(id, done);
        signal.addEventListener("abort", aborted, { once: true });
        if (on?.send(message) !== true) session.send(message);
      });
    },
    answered(id, answer) {
      const done = asked.get(id);
      done?.(answer);
      return done !== undefined;
    },
    keep(name, endOne) {
      keeps.get(name)?.();
      keeps.delete(name);
      if (keeps.size >= limits.kept) {
        endOne();
        throw new RemitError("rate-exceeded", `A session holds ${limits.kept} subscriptions at most`);
      }
      keeps.set(name, endOne);
    },
    release(name) {
      keeps.get(name)?.();
      return keeps.delete(name);
    },
    kept: () => keeps.size,
  };
  return {
    session,
    seenAt,
    attached: () => stream !== null,
    end() {
      for (const done of asked.values()) done(new RpcError(rpcCodes.internalError, "The session has ended"));
      for (const endOne of keeps.values()) endOne();
      keeps.clear();
      streams.close();
      stream?.end();
      stream = null;
    },
  };
}
