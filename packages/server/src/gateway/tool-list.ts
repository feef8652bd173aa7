import { isReservedToolName } from "@remit/contract";
import type { ListedTool } from "../action/action-path.ts";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";

/** Where a caller looks from: every upstream under qualified names, or one upstream under its own. */
export type Address = { upstream: string | null };

export type Page = { type: "page"; tools: { listed: ListedTool; name: string }[]; nextCursor: string | null };

const prefix = "after:";

/**
 * One page of what a caller may call, in the order of names. The cursor is the last name shown, so that a list that changes
 * between two pages neither repeats nor skips what stays.
 */
export function pageOf(tools: readonly ListedTool[], address: Address, cursor: unknown, pageSize: number): Page | Refusal {
  const after = cursor === undefined ? null : readCursor(cursor);
  if (after === false) return refuse(200, rpcCodes.invalidParams, "Invalid params: the cursor is not one that this server gave");
  const named = tools
    // Operations have methods of their own.
    .filter(({ tool }) => !isReservedToolName(tool.spec.name))
    .filter((listed) => address.upstream === null || listed.tool.spec.upstream === address.upstream)
    .map((listed) => ({ listed, name: address.upstream === null ? listed.tool.qualifiedName : listed.tool.spec.name }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  const rest = after === null ? named : named.filter(({ name }) => name > after);
  const page = rest.slice(0, pageSize);
  const last = page.at(-1);
  const nextCursor = last === undefined || rest.length <= pageSize ? null : Buffer.from(prefix + last.name, "utf8").toString("base64url");
  return { type: "page", tools: page, nextCursor };
}

function readCursor(cursor: unknown): string | false {
  if (typeof cursor !== "string" || cursor.length > 1_000) return false;
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  return text.startsWith(prefix) ? text.slice(prefix.length) : false;
}
