import type { Caller, Json, JsonObject } from "@remit/contract";
import { qualifiedToolName, RemitError } from "@remit/contract";
import type { ActionPath } from "../action/action-path.ts";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { ListMethod, Upstreams } from "../upstream/upstreams.ts";
import type { Exchange } from "./exchange.ts";
import type { Refusal } from "./refusal.ts";
import { refuse, refusalOf, refuseFault } from "./refusal.ts";
import { sharedUri } from "./resource-names.ts";
import { freshness, listFreshMs, resultJson } from "./results.ts";
import type { RpcRequest } from "./rpc-message.ts";
import { isObject } from "./rpc-message.ts";

/** `resources/list`, `resources/templates/list`, `prompts/list`: what upstreams offer, less what the caller could not have anyway. */
export type UpstreamLists = {
  list(method: ListMethod, message: RpcRequest, exchange: Exchange, stateless: boolean): Promise<string | Refusal>;
  /** The upstreams of an address whose operation of this name the caller could use. */
  usable(caller: Caller, address: string | null, operation: string): string[];
};

type Kind = {
  /** The member of the result that holds the items, and the member that names an item. */
  items: string;
  name: string;
  operation: string;
  /** The arguments with which an item would be used; null where they are not known yet. */
  arguments(item: JsonObject): JsonObject | null;
  /** The name of an item at an address that many upstreams share. */
  shared(upstream: string, name: string): string;
};

const kinds: Record<ListMethod, Kind> = {
  "resources/list": {
    items: "resources",
    name: "uri",
    operation: "mcp.resources.read",
    arguments: ({ uri }) => ({ uri: uri ?? null }),
    shared: sharedUri,
  },
  "resources/templates/list": {
    items: "resourceTemplates",
    name: "uriTemplate",
    operation: "mcp.resources.read",
    arguments: () => null,
    shared: sharedUri,
  },
  "prompts/list": {
    items: "prompts",
    name: "name",
    operation: "mcp.prompts.get",
    arguments: ({ name }) => ({ name: name ?? null }),
    shared: qualifiedToolName,
  },
};

/** How long one upstream may keep a list waiting that others stand in too. */
const patienceMs = 5_000;
const maxPages = 64;
const maxItems = 5_000;
const cursorPrefix = "after:";

export function createUpstreamLists(deps: {
  path: Pick<ActionPath, "couldAct">;
  registry: RegistrySource;
  upstreams: Pick<Upstreams, "list">;
  pageSize: number;
}): UpstreamLists {
  function usable(caller: Caller, address: string | null, operation: string): string[] {
    const names = address === null ? [...deps.registry.current().upstreams.keys()].sort() : [address];
    return names.filter((upstream) => deps.path.couldAct(caller, qualifiedToolName(upstream, operation), null));
  }

  /** Listing and using are decided by the same function. */
  function allowed(kind: Kind, caller: Caller, upstream: string, page: JsonObject | null): JsonObject[] {
    const items = page?.[kind.items];
    if (!Array.isArray(items)) return [];
    const tool = qualifiedToolName(upstream, kind.operation);
    return items.filter((item): item is JsonObject => {
      if (!isObject(item) || typeof item[kind.name] !== "string") return false;
      const args = kind.arguments(item);
      return args === null || deps.path.couldAct(caller, tool, args);
    });
  }

  /** Every item of one upstream; a text where it could not be asked. */
  async function everything(method: ListMethod, caller: Caller, upstream: string): Promise<JsonObject[] | string> {
    const kind = kinds[method];
    const found: JsonObject[] = [];
    const late = AbortSignal.timeout(patienceMs);
    let cursor: string | null = null;
    for (let pages = 0; pages < maxPages && found.length < maxItems; pages += 1) {
      const page: JsonObject | null | "late" = await Promise.race([deps.upstreams.list(upstream, method, cursor), after(late)]);
      if (page === "late") throw new RemitError("upstream-timeout", `upstream "${upstream}" did not answer within ${patienceMs} ms`);
      found.push(...allowed(kind, caller, upstream, page));
      const next: Json | undefined = page?.["nextCursor"];
      if (typeof next !== "string" || next === "" || next === cursor) break;
      cursor = next;
    }
    return found.map((item) => ({ ...item, [kind.name]: kind.shared(upstream, nameOf(kind, item)) }));
  }

  async function ofAll(method: ListMethod, cursor: string | null, caller: Caller): Promise<JsonObject | Refusal> {
    const kind = kinds[method];
    const last = cursor === null ? null : readCursor(cursor);
    if (last === false) return refuse(200, rpcCodes.invalidParams, "Invalid params: the cursor is not one that this server gave");
    const upstreams = usable(caller, null, kind.operation);
    const answers = await Promise.all(
      upstreams.map(async (upstream) => {
        const items = await everything(method, caller, upstream).catch((error: unknown) => {
          if (RemitError.is(error)) return error.message;
          throw error;
        });
        return { upstream, items };
      }),
    );
    const items = answers
      .flatMap((answer) => (typeof answer.items === "string" ? [] : answer.items))
      .sort((left, right) => (nameOf(kind, left) < nameOf(kind, right) ? -1 : 1))
      .filter((item) => last === null || nameOf(kind, item) > last);
    const page = items.slice(0, deps.pageSize);
    const end = page.at(-1);
    const more = end !== undefined && items.length > page.length;
    // An empty list makes models invent: who is missing is said.
    const unavailable = answers.flatMap((answer) =>
      typeof answer.items === "string" ? [{ upstream: answer.upstream, reason: answer.items }] : [],
    );
    return {
      [kind.items]: page,
      ...(more ? { nextCursor: Buffer.from(cursorPrefix + nameOf(kind, end)).toString("base64url") } : {}),
      ...(unavailable.length === 0 ? {} : { _meta: { "remit/unavailable": unavailable } }),
    };
  }

  /** One upstream's own pages, by its own cursors. */
  async function ofOne(
    method: ListMethod,
    cursor: string | null,
    caller: Caller,
    upstream: string,
    stateless: boolean,
  ): Promise<JsonObject | Refusal> {
    const kind = kinds[method];
    if (usable(caller, upstream, kind.operation).length === 0) return { [kind.items]: [] };
    try {
      const page = await deps.upstreams.list(upstream, method, cursor);
      const { resultType: _type, ...rest } = page ?? {};
      return { ...rest, [kind.items]: allowed(kind, caller, upstream, page) };
    } catch (error) {
      if (!RemitError.is(error)) throw error;
      return error.cause instanceof RpcError ? refuseFault(error.cause, stateless) : { ...refusalOf(error), http: 200 };
    }
  }

  return {
    usable,
    async list(method, message, { caller, address }, stateless) {
      const { cursor = null } = message.params;
      if (cursor !== null && (typeof cursor !== "string" || cursor.length > 16_384))
        return refuse(200, rpcCodes.invalidParams, "Invalid params: cursor must be text");
      const result =
        address.upstream === null ? await ofAll(method, cursor, caller) : await ofOne(method, cursor, caller, address.upstream, stateless);
      if (isRefusal(result)) return result;
      return resultJson(stateless ? { ...result, ...freshness(result["ttlMs"] ?? listFreshMs, listFreshMs) } : result, stateless);
    },
  };
}

function isRefusal(value: JsonObject | Refusal): value is Refusal {
  return value["type"] === "refusal";
}

function nameOf(kind: Kind, item: JsonObject): string {
  const name = item[kind.name];
  return typeof name === "string" ? name : "";
}

function readCursor(cursor: string): string | false {
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  return text.startsWith(cursorPrefix) ? text.slice(cursorPrefix.length) : false;
}

function after(signal: AbortSignal): Promise<"late"> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve("late"), { once: true }));
}
