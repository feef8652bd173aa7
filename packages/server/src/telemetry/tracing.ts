import type { SemconvVersion, SpanKind, SpanShape } from "./semconv.ts";

export type SpanAttributes = Record<string, string | number | boolean>;

/** A piece of work as OpenTelemetry sees it. Traces are for people who look for causes; nothing is audited or counted from them. */
export type Span = {
  /** W3C `traceparent` of this span, for what it causes. */
  traceparent: string;
  /** 32 hexadecimal digits. */
  traceId: string;
  set(attributes: SpanAttributes): void;
  /** A span that is never ended is never sent. `at`: when it ended, if not now. */
  end(error?: string, at?: Date): void;
};

export type SpanOptions = {
  /** The `service.name` that the span is shown under; null: this server's own. */
  service: string | null;
  /** The `traceparent` of what caused it. One that is not valid is as good as none. */
  parent: string | null;
  /** Default: internal. */
  kind?: SpanKind;
  attributes?: SpanAttributes;
  startedAt?: Date;
  /** 16 hexadecimal digits, for a span that others must be able to name as their parent without having been told. Default: random. */
  spanId?: string;
};

/** What has become of spans since the server started. Each that was started and ended is in exactly one of these. */
export type SpanCounts = {
  sent: number;
  /** Lost: the endpoint did not take them, or not fast enough. */
  dropped: number;
  /** Never meant to be sent: the sampler's choice. */
  unsampled: number;
  waiting: number;
};

export type Tracing = {
  /** Whether spans go anywhere. Where not, nothing needs to be put together for them. */
  exporting: boolean;
  semconv: SemconvVersion;
  start(name: string, options: SpanOptions): Span;
  counts(): SpanCounts;
  /** Sends what is left, for no longer than a moment. */
  stop(): Promise<void>;
};

/** Starts a span of a certain shape; without an exporter the shape is not even made. */
export function startShaped(tracing: Pick<Tracing, "start" | "exporting">, shape: () => SpanShape, options: SpanOptions): Span {
  if (!tracing.exporting) return tracing.start("", options);
  const { name, kind, attributes } = shape();
  return tracing.start(name, { ...options, kind, attributes });
}
