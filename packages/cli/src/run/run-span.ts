import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

/** The span of a whole run as its runner sees it. Without an OTLP endpoint it is only the ids that others' spans hang on. */
export type RunSpan = { traceparent: string; end(attributes: Record<string, string | number>, failed: string | null): Promise<void> };

type Environment = Readonly<Record<string, string | undefined>>;

const shutdownMs = 1_000;
const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Starts the span, below `TRACEPARENT` where one is set. Observing never breaks or holds up what it observes. */
export async function startRunSpan(env: Environment, serviceName: string, workflow: string): Promise<RunSpan> {
  const endpoint = tracesEndpoint(env);
  if (endpoint === null || env["OTEL_SDK_DISABLED"] === "true") return silentSpan(env);
  try {
    return await exportedSpan(env, endpoint, serviceName, workflow);
  } catch {
    return silentSpan(env);
  }
}

/** As the OpenTelemetry specification has it: the one for traces is whole, the common one is a base. */
function tracesEndpoint(env: Environment): string | null {
  const own = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? "";
  const base = env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "";
  return own !== "" ? own : base !== "" ? `${base.replace(/\/+$/, "")}/v1/traces` : null;
}

function silentSpan(env: Environment): RunSpan {
  const traceId = traceparentPattern.exec(env["TRACEPARENT"] ?? "")?.[1] ?? randomBytes(16).toString("hex");
  return { traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-01`, end: () => Promise.resolve() };
}

async function exportedSpan(env: Environment, endpoint: string, serviceName: string, workflow: string): Promise<RunSpan> {
  // Loaded only here: nobody else waits for it.
  const [api, { OTLPTraceExporter }, { resourceFromAttributes }, { TracerProvider, SimpleSpanProcessor }] = await Promise.all([
    import("@opentelemetry/api"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/sdk-trace"),
  ]);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": serviceName }),
    spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter({ url: endpoint, timeoutMillis: shutdownMs }) })],
  });
  const parent = traceparentPattern.exec(env["TRACEPARENT"] ?? "");
  const context =
    parent === null
      ? api.ROOT_CONTEXT
      : api.trace.setSpanContext(api.ROOT_CONTEXT, {
          traceId: parent[1] ?? "",
          spanId: parent[2] ?? "",
          traceFlags: Number.parseInt(parent[3] ?? "01", 16),
          isRemote: true,
        });
  const span = provider
    .getTracer("remit-cli")
    .startSpan(
      `invoke_agent ${workflow}`,
      { attributes: { "gen_ai.operation.name": "invoke_agent", "remit.workflow": workflow } },
      context,
    );
  const { traceId, spanId } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-01`,
    async end(attributes, failed) {
      span.setAttributes(attributes);
      if (failed !== null) span.setStatus({ code: api.SpanStatusCode.ERROR, message: failed });
      span.end();
      // An endpoint that is down or hangs costs a second at most, once, at the very end.
      await Promise.race([provider.shutdown().catch(() => undefined), delay(shutdownMs, undefined, { ref: false })]);
    },
  };
}
