import { randomBytes } from "node:crypto";
import type { Tracing } from "./tracing.ts";

const traceparentPattern = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Spans that nobody collects. Their ids are real all the same: entries and upstreams are given them. */
export function createUntraced(): Tracing {
  return {
    start(_name, { parent }) {
      const traceId = (parent === null ? undefined : traceparentPattern.exec(parent)?.[1]) ?? randomBytes(16).toString("hex");
      return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-01`, set: () => undefined, end: () => undefined };
    },
    stop: async () => undefined,
  };
}
