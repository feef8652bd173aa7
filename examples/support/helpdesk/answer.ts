import type { CallToolResult } from "@modelcontextprotocol/server";

/** Something that the caller can put right. Its message says how. */
export class HelpdeskError extends Error {}

/** A result for programs (`structured`) and for whoever reads along (`text`). */
export function answer(structured: Record<string, unknown>, text: string): CallToolResult {
  return { content: [{ type: "text", text }], structuredContent: structured };
}

/** Runs a tool; what goes wrong becomes a result that says so, never a dead server. */
export async function answering(work: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HelpdeskError) return { isError: true, content: [{ type: "text", text: error.message }] };
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`helpdesk: ${reason}`);
    return {
      isError: true,
      content: [{ type: "text", text: `The helpdesk could not do that now: ${reason}. Nothing is known to have changed.` }],
    };
  }
}
