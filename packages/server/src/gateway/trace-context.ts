const format = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/** The first valid W3C `traceparent`. An invalid one is as good as none, as the standard has it: the trace starts anew. */
export function traceparentOf(...candidates: unknown[]): string | undefined {
  return candidates.find(
    (candidate): candidate is string =>
      typeof candidate === "string" && candidate.length <= 200 && !candidate.startsWith("ff") && format.test(candidate),
  );
}
