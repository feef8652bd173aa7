/** A piece of work as OpenTelemetry sees it. Traces are for people who look for causes; nothing is audited or counted from them. */
export type Span = {
  /** W3C `traceparent` of this span, for what it causes. */
  traceparent: string;
  /** 32 hexadecimal digits. */
  traceId: string;
  set(attributes: Record<string, string | number | boolean>): void;
  end(error?: string): void;
};

export type Tracing = {
  /** `service` is the `service.name` that the span is shown under; null: this server's own. */
  start(
    name: string,
    options: { service: string | null; parent: string | null; attributes?: Record<string, string | number | boolean>; startedAt?: Date },
  ): Span;
  /** Sends what is left, for no longer than a moment. */
  stop(): Promise<void>;
};
