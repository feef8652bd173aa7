import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Json, JsonObject, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { ApiOperation, ApiOperations } from "@remit/core";
import { canonicalJson, readingOperations } from "@remit/core";
import type { ApiSource } from "./load-api.ts";

/** The tools of an API, and where they are called. */
export type ApiTools = {
  title: string;
  baseUrl: URL;
  operations: ReadonlyMap<string, ApiOperation>;
  /** As `tools/list` gives them. */
  listed: JsonObject[];
  leftOut: readonly { operation: string; why: string }[];
};

/** @throws RemitError `invalid-configuration` */
export async function apiTools(source: ApiSource, registered: string | undefined): Promise<ApiTools> {
  const { title, servers, operations, leftOut } = await readInTurns(source.document);
  const baseUrl = readBaseUrl(registered ?? servers[0], source.url);
  return {
    title,
    baseUrl,
    operations: new Map(operations.map((operation) => [operation.tool, operation])),
    listed: operations.map((operation) => listedTool(operation, baseUrl)),
    leftOut,
  };
}

/** Lets others run in between: a server that reads a large description still has to halt things in time. */
export async function readInTurns(document: Json): Promise<ApiOperations> {
  const steps = readingOperations(document);
  let turn = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - turn < 10) continue;
    await nextTurn();
    turn = performance.now();
  }
}

/** What an upstream of this kind is registered with. */
export function openApiTransport(spec: UpstreamSpec): Extract<UpstreamSpec["transport"], { type: "openapi" }> {
  if (spec.transport.type !== "openapi") throw new Error(`upstream ${spec.name} is described by no OpenAPI document`);
  return spec.transport;
}

function readBaseUrl(text: string | undefined, documentUrl: URL | null): URL {
  if (text === undefined) throw new RemitError("invalid-configuration", "the document names no server; say where the API is with baseUrl");
  if (!URL.canParse(text, documentUrl?.href))
    throw new RemitError("invalid-configuration", `the document's server ${text} is no whole address; say where the API is with baseUrl`);
  const url = new URL(text, documentUrl?.href);
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw new RemitError("invalid-configuration", `${text} is neither https nor http`);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw new RemitError("invalid-configuration", `${url.origin}: the address of an API has no password, no query and no fragment`);
  return url;
}

/**
 * What is pinned of a tool is what it says here. The comment carries what is sent and where to, so that a description which
 * quietly turns a read into a deletion, or goes to another server, is drift like any other.
 */
function listedTool(operation: ApiOperation, baseUrl: URL): JsonObject {
  const { tool, description, inputSchema, outputSchema, ...request } = operation;
  const digest = createHash("sha256")
    .update(canonicalJson({ ...request, baseUrl: baseUrl.href }))
    .digest("hex");
  const comment = `${operation.method} ${callUrl(baseUrl, operation.path)}, request ${digest.slice(0, 16)}`;
  return {
    name: tool,
    description,
    inputSchema: { ...inputSchema, $comment: comment },
    ...(outputSchema === null ? {} : { outputSchema }),
  };
}

/** An address below the base; what is in the path is encoded already. */
export function callUrl(baseUrl: URL, path: string): string {
  return `${baseUrl.origin}${baseUrl.pathname.replace(/\/+$/, "")}${path}`;
}
