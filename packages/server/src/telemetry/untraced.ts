import { randomFillSync } from "node:crypto";
import { formatTraceparent, parseTraceparent } from "./traceparent.ts";
import type { Tracing } from "./tracing.ts";

const nothing = (): void => undefined;
const noCounts = { sent: 0, dropped: 0, unsampled: 0, waiting: 0 };

/** Spans that nobody collects. Their ids are real all the same: entries and upstreams are given them. */
export function createUntraced(): Tracing {
  return {
    exporting: false,
    semconv: "1.41.0",
    start(_name, { parent, spanId = randomId(8) }) {
      const { traceId = randomId(16), flags = "01" } = (parent === null ? null : parseTraceparent(parent)) ?? {};
      return { traceId, traceparent: formatTraceparent({ traceId, spanId, flags }), set: nothing, end: nothing };
    },
    counts: () => noCounts,
    stop: async () => undefined,
  };
}

// One call to the system's generator for many ids.
const pool = Buffer.alloc(4_096);
let used = pool.length;

/** So many random bytes in hexadecimal, never all zero: W3C has that mean none. */
export function randomId(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const id = pool.toString("hex", used, (used += bytes));
  return /[^0]/.test(id) ? id : randomId(bytes);
}
