import type { FaultKind, Json, JsonObject, ToolResult } from "@remit/contract";

/** A fault that may be injected. Times in milliseconds since 1970. */
export type Fault = {
  id: string;
  environment: string;
  upstream: string;
  /** The upstream's own name of the tool; null: all of them. */
  tool: string | null;
  kind: FaultKind;
  percent: number;
  delayMs: number;
  expiresAt: number;
  /** Whether a second person has said yes. */
  confirmed: boolean;
};

/** One call that a fault could meet. `isProduction` as the registry has it at this moment. */
export type FaultSubject = { environment: string; isProduction: boolean; upstream: string; tool: string; isRead: boolean };

/**
 * The fault that meets a call, or null. `random` in [0, 1). One at a time: the first that covers it, so that what an entry says was
 * injected is what happened. In production only what two people wanted, whatever the environment was when it was added.
 */
export function faultFor(faults: readonly Fault[], subject: FaultSubject, now: number, random: number): Fault | null {
  const fault = faults.find(
    (each) =>
      each.environment === subject.environment &&
      each.upstream === subject.upstream &&
      (each.tool === null || each.tool === subject.tool) &&
      now < each.expiresAt &&
      (each.confirmed || !subject.isProduction) &&
      // An old answer in place of a change would be a change that silently does not happen.
      (each.kind !== "stale" || subject.isRead),
  );
  return fault !== undefined && random * 100 < fault.percent ? fault : null;
}

/** Half of what was answered: every second member, the first half of every text and list. Never empty by being small. */
export function partialResult(result: ToolResult): ToolResult {
  return {
    ...result,
    content: result.content.slice(0, Math.max(1, Math.ceil(result.content.length / 2))).map((block) => {
      const { text } = block;
      return typeof text === "string" ? { ...block, text: text.slice(0, Math.ceil(text.length / 2)) } : block;
    }),
    ...(result.structuredContent === undefined ? {} : { structuredContent: everySecond(result.structuredContent) }),
  };
}

function everySecond(object: JsonObject): JsonObject {
  const entries = Object.entries(object).map(([key, value]): [string, Json] => [
    key,
    Array.isArray(value) ? value.slice(0, Math.ceil(value.length / 2)) : value,
  ]);
  return Object.fromEntries(entries.filter((_, index) => index % 2 === 1 || entries.length === 1));
}

/** The answer of a version that has renamed its members. */
export function driftedResult(result: ToolResult): ToolResult {
  const renamed = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(renamed);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [`${key}_v2`, renamed(member)]));
  };
  return {
    ...result,
    content: result.content.map((block) =>
      typeof block["text"] === "string" ? { ...block, text: driftedText(block["text"], renamed) } : block,
    ),
    ...(result.structuredContent === undefined ? {} : { structuredContent: renamed(result.structuredContent) as JsonObject }),
  };
}

function driftedText(text: string, renamed: (value: Json) => Json): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(renamed(JSON.parse(text) as Json));
  } catch {
    return text;
  }
}
