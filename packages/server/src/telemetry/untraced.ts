import { randomBytes } from "node:crypto";
import { formatTraceparent, parseTraceparent } from "./traceparent.ts";
import type { Tracing } from "./tracing.ts";

/** Spans that nobody collects. Their ids are real all the same: entries and upstreams are given them. */
export function createUntraced(): Tracing {
  return {
    start(_name, { parent, spanId = randomId(8) }) {
      const { traceId = randomId(16), flags = "01" } = (parent === null ? null : parseTraceparent(parent)) ?? {};
      return { traceId, traceparent: formatTraceparent({ traceId, spanId, flags }), set: () => undefined, end: () => undefined };
    },
    stop: async () => undefined,
  };
}

function randomId(bytes: number): string {
  const id = randomBytes(bytes).toString("hex");
  return /[^0]/.test(id) ? id : randomId(bytes);
}
