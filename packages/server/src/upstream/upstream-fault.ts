import type { ErrorCode, ToolResult } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { CallEnd } from "@remit/core";

/** Member of a result's `_meta`: the HTTP status that it came with. */
export const httpStatusKey = "remit/http-status";

/** Statuses with which a server says that it is not well, whatever was asked of it. */
const faultStatuses = new Set([500, 502, 503, 504, 507, 508]);
/** Of these, the ones that pass by themselves. */
const transientStatuses = new Set([502, 503, 504]);

/** Failures of the upstream itself. That it is not connected is none: it is connected again by itself, and says when. */
const faultCodes = new Set<ErrorCode>(["upstream-timeout", "outcome-unknown"]);
/** Failures that say nothing about the upstream, for they happened before it was asked, or the caller went away. */
const silentCodes = new Set<ErrorCode>([
  "upstream-unavailable",
  "upstream-busy",
  "circuit-open",
  "credential-missing",
  "credential-expired",
  "credential-unavailable",
  "invalid-arguments",
  "cancelled",
]);
/** Failures after which it is certain that nothing was sent. */
const unsentCodes = new Set<ErrorCode>([
  "upstream-unavailable",
  "upstream-busy",
  "circuit-open",
  "credential-missing",
  "credential-expired",
  "credential-unavailable",
  "invalid-arguments",
]);

/** What a call says about the upstream. A refusal, and a tool that says no, are answers: it is well. */
export function endOfCall(result: ToolResult): CallEnd {
  return faultStatuses.has(statusOf(result) ?? 0) ? "fault" : "fine";
}

/** As {@link endOfCall}, of what was thrown. */
export function endOfFailure(error: unknown): CallEnd {
  if (!RemitError.is(error)) return "fault";
  if (faultCodes.has(error.code)) return "fault";
  return silentCodes.has(error.code) ? "neither" : "fine";
}

/** Could the same call succeed in a moment? Says nothing of whether it may be made twice. */
export function isTransientResult(result: ToolResult): boolean {
  return transientStatuses.has(statusOf(result) ?? 0);
}

/** As {@link isTransientResult}, of what was thrown. A queue that is full and an open circuit are not: pressing on makes them worse. */
export function isTransientFailure(error: unknown): boolean {
  return RemitError.is(error) && (error.code === "upstream-unavailable" || error.code === "outcome-unknown");
}

export function isUnsent(code: ErrorCode): boolean {
  return unsentCodes.has(code);
}

/** A server that is not well says nothing of what it has done before it said so. */
export function mayHaveHappened(result: ToolResult): boolean {
  return faultStatuses.has(statusOf(result) ?? 0);
}

function statusOf(result: ToolResult): number | null {
  const status = result._meta?.[httpStatusKey];
  return typeof status === "number" ? status : null;
}
