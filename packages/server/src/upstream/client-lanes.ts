import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { canonicalJson } from "@remit/core";
import { metaKeys, rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { Connection, ServerRequest } from "./connection.ts";
import { isObject } from "./connection.ts";
import { SessionExpired } from "./http-channel.ts";
import type { Relay } from "./relay.ts";

/**
 * Connections of one client each, to an upstream that asks by the handshake's revisions: there a question names no request, so on a
 * connection that many share nobody could say whose client is asked.
 */
export type ClientLanes = {
  /** Does work on the client's connection, and again on a new one where the upstream had forgotten the session before it looked. */
  during<Result>(signal: AbortSignal, relay: Relay, work: (connection: Connection) => Promise<Result>): Promise<Result>;
  /** Tells upstreams that a client's folders have changed, on the connections that are that client's alone. */
  rootsChanged(lane: string): void;
  /** Closes what belongs to a client that has gone. */
  end(lane: string): void;
  close(): Promise<void>;
};

type Lane = {
  owner: string;
  principal: string;
  key: string;
  connecting: Promise<Connection>;
  users: number;
  level: string | null;
  /** Whether the upstream was promised to be told when the client's folders change. */
  tellsRoots: boolean;
  idle: NodeJS.Timeout | undefined;
};

const idleMs = 120_000;
const maxLanes = 64;
/** Of these, so many at most are one principal's, however many sessions it has. */
const maxOfPrincipal = 16;

export function createClientLanes(
  upstream: string,
  connect: (capabilities: JsonObject, signal: AbortSignal) => Promise<Connection>,
): ClientLanes {
  const lanes = new Set<Lane>();
  const closing = new AbortController();

  function drop(lane: Lane): void {
    if (!lanes.delete(lane)) return;
    clearTimeout(lane.idle);
    lane.connecting.then((connection) => connection.close()).catch(() => undefined);
  }

  /** Makes room by closing what nobody uses. */
  function dropIdle(among: readonly Lane[], why: string): void {
    const idle = among.find((lane) => lane.users === 0);
    if (idle === undefined) throw new RemitError("upstream-busy", `upstream "${upstream}" ${why}; nothing was sent, try again later`);
    drop(idle);
  }

  function open(relay: Relay, key: string): Lane {
    const own = [...lanes].filter((lane) => lane.principal === relay.principal);
    if (own.length >= maxOfPrincipal) {
      dropIdle(own, `has ${maxOfPrincipal} connections open for this agent's clients, which is all that one agent is given`);
    } else if (lanes.size >= maxLanes) {
      dropIdle([...lanes], `has a connection open for each of ${maxLanes} clients, which is all it is given`);
    }
    // A client of the stateless revision has no way to tell that its folders have changed.
    const promised = relay.stateless && isObject(relay.capabilities["roots"]) ? { ...relay.capabilities, roots: {} } : relay.capabilities;
    const lane: Lane = {
      owner: relay.lane,
      principal: relay.principal,
      key,
      connecting: connect(promised, closing.signal),
      users: 0,
      level: null,
      tellsRoots: isObject(promised["roots"]) && promised["roots"]["listChanged"] === true,
      idle: undefined,
    };
    lanes.add(lane);
    lane.connecting.then(
      (connection) => connection.onClosed(() => drop(lane)),
      () => drop(lane),
    );
    return lane;
  }

  function enter(relay: Relay): Lane {
    const key = canonicalJson([relay.lane, relay.stateless, relay.capabilities]);
    // Calls of one session may share its connection. Without a session, what is asked could be for another call: one call at a time.
    const free = [...lanes].find((lane) => lane.key === key && (!relay.stateless || lane.users === 0));
    const lane = free ?? open(relay, key);
    clearTimeout(lane.idle);
    lane.users += 1;
    return lane;
  }

  function leave(lane: Lane): void {
    lane.users -= 1;
    if (lane.users > 0 || !lanes.has(lane)) return;
    lane.idle = setTimeout(() => drop(lane), idleMs);
    lane.idle.unref();
  }

  async function once<Result>(signal: AbortSignal, relay: Relay, work: (connection: Connection) => Promise<Result>): Promise<Result> {
    const lane = enter(relay);
    try {
      const connection = await abortable(lane.connecting, signal);
      // What it asks when it has heard that folders have changed belongs to no call; whose client it is, is certain here.
      if (lane.tellsRoots) connection.answerBeside((request, aborting) => rootsOf(relay, request, aborting));
      const level = relay.meta[metaKeys.logLevel];
      if (typeof level === "string" && level !== lane.level && connection.capabilities["logging"] !== undefined) {
        lane.level = level;
        await connection.request("logging/setLevel", { level }, { signal });
      }
      return await work(connection);
    } catch (error) {
      if (error instanceof SessionExpired) drop(lane);
      throw error;
    } finally {
      leave(lane);
    }
  }

  return {
    async during(signal, relay, work) {
      try {
        return await once(signal, relay, work);
      } catch (error) {
        if (!(error instanceof SessionExpired)) throw error;
        return await once(signal, relay, work);
      }
    },
    rootsChanged(owner) {
      for (const lane of lanes) {
        if (lane.owner !== owner || !lane.tellsRoots) continue;
        lane.connecting.then((connection) => connection.notify("notifications/roots/list_changed", {})).catch(() => undefined);
      }
    },
    end(owner) {
      for (const lane of lanes) if (lane.owner === owner) drop(lane);
    },
    async close() {
      closing.abort();
      const open = [...lanes];
      for (const lane of open) drop(lane);
      await Promise.all(open.map(({ connecting }) => connecting.then((connection) => connection.close()).catch(() => undefined)));
    },
  };
}

async function rootsOf(relay: Relay, request: ServerRequest, signal: AbortSignal): Promise<JsonObject> {
  if (request.method !== "roots/list") throw new RpcError(rpcCodes.methodNotFound, "Beside its calls, Remit answers for folders only");
  return await relay.ask(request, signal);
}

async function abortable<Value>(value: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason as Error);
    signal.addEventListener("abort", aborted, { once: true });
    value.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}
