import type { ToolResult } from "@remit/contract";
import { RemitError } from "@remit/contract";

/** Member of a result's `_meta`: the HTTP status that it came with. */
export const httpStatusKey = "remit/http-status";

/** Statuses with which a server says that it is not well, whatever was asked of it. */
const faultStatuses = new Set([500, 502, 503, 504, 507, 508]);
/** Of these, the ones that pass by themselves. */
const transientStatuses = new Set([502, 503, 504]);

function statusOf(result: ToolResult): number | null {
  const status = result._meta?.[httpStatusKey];
  return typeof status === "number" ? status : null;
}

/** Is this the upstream's own failure? A refusal, a tool that says no and a caller who goes away are none. */
export function isFault(outcome: unknown): boolean {
  if (RemitError.is(outcome)) return faultCodes.has(outcome.code);
  if (outcome instanceof Error) return true;
  return faultStatuses.has(statusOf(outcome as ToolResult) ?? 0);
}

const faultCodes = new Set<string>(["upstream-unavailable", "upstream-timeout", "outcome-unknown"]);

/** Could the same call succeed in a moment? Says nothing of whether it may be made twice. */
export function isTransient(outcome: unknown): boolean {
  if (RemitError.is(outcome)) return outcome.code === "upstream-unavailable" || outcome.code === "outcome-unknown";
  if (outcome instanceof Error) return false;
  return transientStatuses.has(statusOf(outcome as ToolResult) ?? 0);
}

/** Did the tool say no before it did anything? A server that is not well says nothing of what it has done. */
export function mayHaveHappened(result: ToolResult): boolean {
  return faultStatuses.has(statusOf(result) ?? 0);
}
