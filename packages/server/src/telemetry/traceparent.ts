export type Traceparent = { traceId: string; spanId: string; flags: string };

/** Versions after 00 may say more behind the flags; ff is no version. */
const format = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Reads a W3C `traceparent`; null where it is not valid, which the standard has start a new trace. */
export function parseTraceparent(text: string): Traceparent | null {
  const [, version, traceId, spanId, flags, more] = text.length <= 200 ? (format.exec(text) ?? []) : [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  return version === "00" && more !== undefined ? null : { traceId, spanId, flags };
}

/** The first valid W3C `traceparent`. An invalid one is as good as none, as the standard has it: the trace starts anew. */
export function traceparentOf(...candidates: unknown[]): string | undefined {
  return candidates.find((candidate): candidate is string => typeof candidate === "string" && parseTraceparent(candidate) !== null);
}

export function formatTraceparent({ traceId, spanId, flags }: Traceparent): string {
  return `00-${traceId}-${spanId}-${flags}`;
}
