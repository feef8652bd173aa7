import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { diag, DiagLogLevel } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { BatchSpanProcessor, type SpanExporter, type SpanProcessor } from "@opentelemetry/sdk-trace";
import type { Logger } from "../log/logger.ts";

/** What waits to be sent while the endpoint does not take it. Beyond that, spans are lost and counted. */
const maxWaiting = 4_096;
const maxBatch = 512;
const sendEveryMs = 1_000;
/** As the specification has it. The SDK gives up a batch for certain a little later, even where an answer drips in. */
const giveUpMs = 12_000;
const reportEveryMs = 60_000;
const stopMs = 2_000;

/** What the endpoint has refused of an export that it took. The exporter calls that a success, and tells of it by the log for diagnosis alone. */
const answers = new AsyncLocalStorage<{ rejected: number }>();
const nothing = (): void => undefined;
diag.setLogger(
  {
    error: nothing,
    info: nothing,
    debug: nothing,
    verbose: nothing,
    warn(message, said) {
      const answer = answers.getStore();
      if (answer !== undefined && message.startsWith("Received Partial Success")) answer.rejected += rejectedIn(said);
    },
  },
  { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
);

function rejectedIn(said: unknown): number {
  const [, count] = /"rejectedSpans":"?(\d{1,15})/.exec(String(said)) ?? [];
  return Number(count ?? 0);
}

export type BoundedExport = {
  processor: SpanProcessor;
  counts(): { sent: number; dropped: number; waiting: number };
  stop(): Promise<void>;
};

/** The one way out for spans of all services: a bounded queue in batches. What is lost is counted, and told once a minute. */
export function createBoundedExport({ url, logger }: { url: string; logger: Logger }): BoundedExport {
  const otlp = new OTLPTraceExporter({ url, concurrencyLimit: maxWaiting / maxBatch + 2 });
  let waiting = 0;
  let sending = 0;
  let sent = 0;
  let dropped = 0;
  let told = 0;
  let isStopped = false;
  const exporter: SpanExporter = {
    export(spans, done) {
      waiting -= spans.length;
      sending += spans.length;
      const answer = { rejected: 0 };
      answers.run(answer, () =>
        otlp.export(spans, (result) => {
          // Counted as dropped when it stopped, whatever has become of it since.
          if (isStopped) return done(result);
          sending -= spans.length;
          const lost = result.error === undefined ? Math.min(answer.rejected, spans.length) : spans.length;
          dropped += lost;
          sent += spans.length - lost;
          done(result);
        }),
      );
    },
    shutdown: () => otlp.shutdown(),
  };
  const batches = new BatchSpanProcessor({
    exporter,
    maxQueueSize: maxWaiting,
    maxExportBatchSize: maxBatch,
    scheduledDelayMillis: sendEveryMs,
    exportTimeoutMillis: giveUpMs,
  });

  function report(): void {
    // Only how many: an error may quote what was sent, and the endpoint may hold a password.
    const lost = dropped - told;
    if (lost > 0) logger.warn({ lost }, "spans were lost: the OTLP endpoint does not take them, or not fast enough");
    told = dropped;
  }
  const reporting = setInterval(report, reportEveryMs);
  reporting.unref();

  return {
    processor: {
      onStart: () => undefined,
      onEnd(span) {
        // Not sampled: it was never meant to be sent.
        if ((span.spanContext().traceFlags & 1) === 0) return;
        // The processor would drop it as well, but tells nobody.
        if (waiting >= maxWaiting) {
          dropped += 1;
          return;
        }
        waiting += 1;
        batches.onEnd(span);
      },
      forceFlush: () => batches.forceFlush(),
      // Of one service only; the others go on.
      shutdown: async () => undefined,
    },
    counts: () => ({ sent, dropped, waiting: waiting + sending }),
    async stop() {
      clearInterval(reporting);
      await Promise.race([batches.shutdown().catch(() => undefined), delay(stopMs, undefined, { ref: false })]);
      isStopped = true;
      dropped += waiting + sending;
      waiting = 0;
      sending = 0;
      report();
    },
  };
}
