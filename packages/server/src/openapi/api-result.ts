import type { Json, JsonObject, ToolResult } from "@remit/contract";
import type { ApiOperation } from "@remit/core";
import { readJson } from "../json/read-json.ts";
import { httpStatusKey } from "../upstream/upstream-fault.ts";

/** An answer over HTTP, read whole. */
export type ApiAnswer = { status: number; mediaType: string; body: Buffer };

/** What an answer is in the words of a tool's result. The status goes with it: who watches the upstream wants to know it. */
export function apiResult(upstream: string, operation: ApiOperation, answer: ApiAnswer): ToolResult {
  const { status } = answer;
  const meta = { _meta: { [httpStatusKey]: status } };
  const failed = status >= 400;
  const content = contentOf(upstream, operation, answer);
  if (failed) {
    const words = `HTTP ${status} from ${operation.method} ${operation.path}`;
    return { content: [{ type: "text", text: words }, ...content], isError: true, ...meta };
  }
  const structured = isJsonType(answer.mediaType) ? parsed(answer.body) : undefined;
  return {
    content: content.length === 0 ? [{ type: "text", text: `HTTP ${status}` }] : content,
    ...structuredOf(operation, structured),
    ...meta,
  };
}

function structuredOf({ wrapsResult }: ApiOperation, value: Json | undefined): Pick<ToolResult, "structuredContent"> {
  if (value === undefined) return {};
  if (wrapsResult) return { structuredContent: { result: value } };
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? { structuredContent: value }
    : { structuredContent: { result: value } };
}

function contentOf(upstream: string, operation: ApiOperation, { mediaType, body }: ApiAnswer): JsonObject[] {
  if (body.byteLength === 0) return [];
  const text = isText(mediaType) ? decoded(body) : null;
  if (text !== null) return [{ type: "text", text }];
  const data = body.toString("base64");
  const mimeType = mediaType === "" ? "application/octet-stream" : mediaType;
  if (mimeType.startsWith("image/")) return [{ type: "image", data, mimeType }];
  if (mimeType.startsWith("audio/")) return [{ type: "audio", data, mimeType }];
  // Not the address that was called: a key may be part of it.
  return [{ type: "resource", resource: { uri: `remit://${upstream}/${operation.tool}`, mimeType, blob: data } }];
}

function isJsonType(mediaType: string): boolean {
  return /^[\w.+-]+\/(?:json|[\w.+-]*\+json)$/.test(mediaType);
}

function isText(mediaType: string): boolean {
  return (
    mediaType === "" ||
    isJsonType(mediaType) ||
    mediaType.startsWith("text/") ||
    /[/+](?:xml|yaml|x-yaml|x-ndjson|javascript|x-www-form-urlencoded)$/.test(mediaType)
  );
}

/** Null for what is no text after all. */
function decoded(body: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return null;
  }
}

function parsed(body: Buffer): Json | undefined {
  try {
    return readJson(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
