import { readFileSync } from "node:fs";
import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import { type IdGenerator, RandomIdGenerator, TracerProvider } from "@opentelemetry/sdk-trace";
import { redactText } from "@remit/core";
import { createBoundedExport } from "./bounded-export.ts";
import type { TracingOptions } from "./otlp-tracing.ts";
import { samplerOf } from "./sampler-of.ts";
import { schemaUrlOf, semconvVersionOf } from "./semconv.ts";
import { formatTraceparent, parseTraceparent } from "./traceparent.ts";
import type { SpanAttributes, Tracing } from "./tracing.ts";

/** Names of services come from whoever starts runs. */
const maxServices = 50;
const maxNameLength = 200;
const maxValueLength = 1_000;

const kinds = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

/** The only module that loads OpenTelemetry's SDK, together with what it imports: load it where spans are really sent. */
export function createExportedTracing({ environment, logger, url }: TracingOptions & { url: string }): Tracing {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  const out = createBoundedExport({ url, logger });
  const resource = resourceAttributes(environment["OTEL_RESOURCE_ATTRIBUTES"] ?? "");
  const own = environment["OTEL_SERVICE_NAME"] || resource["service.name"] || "remit";
  const sampler = samplerOf(environment["OTEL_TRACES_SAMPLER"], environment["OTEL_TRACES_SAMPLER_ARG"]);
  const semconv = semconvVersionOf(environment["OTEL_SEMCONV_STABILITY_OPT_IN"]);
  const schemaUrl = schemaUrlOf(semconv);
  let unsampled = 0;
  const random = new RandomIdGenerator();
  /** The id of the span that is being started; the SDK takes ids from nowhere but a generator, and asks for it while it starts one. */
  let nextSpanId: string | undefined;
  const idGenerator: IdGenerator = {
    generateTraceId: () => random.generateTraceId(),
    generateSpanId: () => nextSpanId ?? random.generateSpanId(),
  };
  const tracers = new Map<string, Tracer>();

  /** A provider for each service, since OpenTelemetry has one resource a provider. The one unused for longest is let go. */
  function tracerOf(service: string): Tracer {
    const known = tracers.get(service);
    const tracer = known ?? newTracer(service);
    tracers.delete(service);
    tracers.set(service, tracer);
    const [oldest] = tracers.keys();
    if (tracers.size > maxServices && oldest !== undefined) tracers.delete(oldest);
    return tracer;
  }

  function newTracer(service: string): Tracer {
    const attributes = { ...resource, "service.name": service, "service.version": version };
    return new TracerProvider({
      resource: defaultResource().merge(resourceFromAttributes(attributes)),
      spanProcessors: [out.processor],
      spanLimits: { attributeValueLengthLimit: maxValueLength },
      idGenerator,
      ...(sampler === null ? {} : { sampler }),
    }).getTracer("remit", version, schemaUrl === null ? {} : { schemaUrl });
  }

  return {
    exporting: true,
    semconv,
    start(name, { service, parent, kind = "internal", attributes, startedAt, spanId }) {
      const tracer = tracerOf((service || own).slice(0, maxNameLength));
      nextSpanId = spanId;
      const span = tracer.startSpan(
        redactText(name.slice(0, maxNameLength)),
        {
          kind: kinds[kind],
          ...(attributes === undefined ? {} : { attributes: redacted(attributes) }),
          ...(startedAt === undefined ? {} : { startTime: startedAt }),
        },
        contextOf(parent),
      );
      nextSpanId = undefined;
      const { traceId, spanId: id, traceFlags } = span.spanContext();
      return {
        traceId,
        traceparent: formatTraceparent({ traceId, spanId: id, flags: traceFlags.toString(16).padStart(2, "0") }),
        set: (more) => void span.setAttributes(redacted(more)),
        end(error, at) {
          if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: redactText(error.slice(0, maxValueLength)) });
          if (!span.isRecording()) unsampled += 1;
          span.end(at);
        },
      };
    },
    counts: () => ({ ...out.counts(), unsampled }),
    stop: () => out.stop(),
  };
}

/** A net below the table of what spans may tell: what has the shape of a secret or the checksum of an account leaves by no attribute. */
function redacted(attributes: SpanAttributes): SpanAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name,
      typeof value === "string" ? redactText(value.slice(0, maxValueLength)) : value,
    ]),
  );
}

function contextOf(parent: string | null): Context {
  const caused = parent === null ? null : parseTraceparent(parent);
  if (caused === null) return ROOT_CONTEXT;
  const { traceId, spanId, flags } = caused;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true });
}

/** `OTEL_RESOURCE_ATTRIBUTES`: `name=value,name=value`, percent-encoded. What cannot be read is left out. */
function resourceAttributes(text: string): Record<string, string> {
  const pairs = text.split(",").flatMap((pair) => {
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    try {
      return name === undefined || value === undefined ? [] : [[decodeURIComponent(name), decodeURIComponent(value)] as const];
    } catch {
      return [];
    }
  });
  return Object.fromEntries(pairs);
}
