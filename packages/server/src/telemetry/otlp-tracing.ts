import type { Logger } from "../log/logger.ts";
import type { Tracing } from "./tracing.ts";
import { createUntraced } from "./untraced.ts";

export type TracingOptions = {
  /** The variables that OpenTelemetry defines: `OTEL_EXPORTER_OTLP_ENDPOINT` and its kind. */
  environment: Readonly<Record<string, string | undefined>>;
  logger: Logger;
};

/** Traces by OTLP over HTTP (JSON) where an endpoint is set; otherwise OpenTelemetry is not even loaded. Never fails: watching breaks nothing. */
export async function createTracing(options: TracingOptions): Promise<Tracing> {
  const { environment, logger } = options;
  const url = tracesEndpoint(environment);
  const isOff = environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || environment["OTEL_TRACES_EXPORTER"] === "none";
  if (url === null || isOff) return createUntraced();
  // Neither the address nor an error about it is logged: an address may hold a password.
  if (!URL.canParse(url)) {
    logger.warn("no spans are sent: the OTLP endpoint is not a URL");
    return createUntraced();
  }
  try {
    const { createExportedTracing } = await import("./exported-tracing.ts");
    return createExportedTracing({ ...options, url });
  } catch (error) {
    logger.warn({ reason: error instanceof Error ? error.name : "unknown" }, "no spans are sent: OpenTelemetry could not be started");
    return createUntraced();
  }
}

/** As the OpenTelemetry specification has it: the endpoint for traces is whole, the common one is a base. */
function tracesEndpoint(environment: TracingOptions["environment"]): string | null {
  const own = environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? "";
  const base = environment["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "";
  return own !== "" ? own : base !== "" ? `${base.replace(/\/+$/, "")}/v1/traces` : null;
}
