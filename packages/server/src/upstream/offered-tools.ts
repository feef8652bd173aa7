import { RemitError } from "@remit/contract";
import type { Connection } from "./connection.ts";
import { isObject } from "./connection.ts";
import type { OfferedTool } from "./upstreams.ts";

const maxPages = 64;
const maxTools = 2_000;

/** Every tool that a connected upstream offers. */
export async function listOfferedTools(upstream: string, connection: Connection, signal: AbortSignal): Promise<OfferedTool[]> {
  const tools: OfferedTool[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await connection.request("tools/list", cursor === undefined ? {} : { cursor }, { signal });
    const listed = page["tools"];
    if (!Array.isArray(listed)) throw refused(upstream, "lists no tools: its answer has no array `tools`");
    for (const [index, raw] of listed.entries()) tools.push(parseTool(upstream, raw, index));
    if (tools.length > maxTools) throw refused(upstream, `offers more than ${maxTools} tools`);
    const next = page["nextCursor"];
    cursor = typeof next === "string" && next !== "" ? next : undefined;
    if (cursor !== undefined && (cursors.has(cursor) || cursors.size >= maxPages)) {
      throw refused(upstream, `lists its tools without an end (over ${cursors.size} pages)`);
    }
    if (cursor !== undefined) cursors.add(cursor);
  } while (cursor !== undefined);
  return tools;
}

function parseTool(upstream: string, raw: unknown, index: number): OfferedTool {
  if (!isObject(raw)) throw refused(upstream, `lists a tool that is no object, at index ${index}`);
  const { name, description, inputSchema, outputSchema } = raw;
  if (typeof name !== "string") throw refused(upstream, `lists a tool without a name, at index ${index}`);
  if (!isObject(inputSchema)) throw refused(upstream, `lists the tool "${name}" without an input schema`);
  if (outputSchema !== undefined && !isObject(outputSchema))
    throw refused(upstream, `lists the tool "${name}" with an output schema that is no object`);
  return {
    name,
    description: typeof description === "string" ? description : "",
    inputSchema,
    outputSchema: outputSchema ?? null,
    raw,
  };
}

function refused(upstream: string, what: string): RemitError {
  return new RemitError("upstream-error", `upstream "${upstream}" ${what}`);
}
