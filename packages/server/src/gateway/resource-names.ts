import type { Json, JsonObject } from "@remit/contract";
import { isObject } from "./rpc-message.ts";

/**
 * Names below an upstream, where many upstreams share one address. The URI of a resource keeps its own text whole, so that templates can
 * still be expanded and nothing is decoded on the way back.
 */
const scheme = "remit://";

export function sharedUri(upstream: string, uri: string): string {
  return `${scheme}${upstream}/${uri}`;
}

/** The upstream of a shared URI and the upstream's own; null when it is not one. */
export function ownUri(shared: string): { upstream: string; uri: string } | null {
  if (!shared.startsWith(scheme)) return null;
  const slash = shared.indexOf("/", scheme.length);
  if (slash === -1) return null;
  return { upstream: shared.slice(scheme.length, slash), uri: shared.slice(slash + 1) };
}

/** A name as `upstream__name`; null when it is not one. */
export function ownName(qualified: string): { upstream: string; name: string } | null {
  const at = qualified.indexOf("__");
  return at <= 0 ? null : { upstream: qualified.slice(0, at), name: qualified.slice(at + 2) };
}

/** Blocks of content with the URIs that they offer to be read, under their shared names. Few offer any. */
export function sharedContents(upstream: string, blocks: JsonObject[]): JsonObject[] {
  if (!blocks.some(({ type }) => type === "resource_link" || type === "resource")) return blocks;
  return blocks.map((block) => sharedContent(upstream, block) as JsonObject);
}

/** A block of content with the URIs that it offers to be read, under their shared names. */
export function sharedContent(upstream: string, block: Json): Json {
  if (!isObject(block)) return block;
  if (block["type"] === "resource_link" && typeof block["uri"] === "string") return { ...block, uri: sharedUri(upstream, block["uri"]) };
  const { resource } = block;
  if (block["type"] !== "resource" || !isObject(resource) || typeof resource["uri"] !== "string") return block;
  return { ...block, resource: { ...resource, uri: sharedUri(upstream, resource["uri"]) } };
}
