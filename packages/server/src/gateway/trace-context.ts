import { parseTraceparent } from "../telemetry/traceparent.ts";

/** The first valid W3C `traceparent`. An invalid one is as good as none, as the standard has it: the trace starts anew. */
export function traceparentOf(...candidates: unknown[]): string | undefined {
  return candidates.find((candidate): candidate is string => typeof candidate === "string" && parseTraceparent(candidate) !== null);
}
