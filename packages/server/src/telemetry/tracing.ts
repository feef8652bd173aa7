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
  attributes?: SpanAttributes;
  startedAt?: Date;
  /** 16 hexadecimal digits, for a span that others must be able to name as their parent without having been told. Default: random. */
  spanId?: string;
};

export type Tracing = {
  start(name: string, options: SpanOptions): Span;
  /** Sends what is left, for no longer than a moment. */
  stop(): Promise<void>;
};
