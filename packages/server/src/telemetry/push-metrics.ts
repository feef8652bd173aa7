import type { Logger } from "../log/logger.ts";
import { otlpMetrics } from "./otlp-metrics.ts";
import type { Told } from "./otlp-metrics.ts";

const giveUpMs = 10_000;
const defaultEveryMs = 60_000;

/** An endpoint that has taken some of it and refuses the rest answers with success. */
function refusesSome(answer: string): boolean {
  return /"rejectedDataPoints":\s*"?0*[1-9]/.test(answer);
}

/**
 * Sends readings by OTLP over HTTP (JSON), where an endpoint is set: for who has a collector and no scraper. Never two at a time, none kept
 * for later: the next reading says all that this one did. Null: nobody wants any.
 */
export function startPushingMetrics(options: {
  environment: Readonly<Record<string, string | undefined>>;
  resource: Readonly<Record<string, string>>;
  read: () => Promise<Omit<Told, "at" | "startedAt">>;
  now: () => Date;
  logger: Logger;
}): { stop(): Promise<void> } | null {
  const { environment, logger } = options;
  const url = metricsEndpoint(environment);
  const isOff = environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || environment["OTEL_METRICS_EXPORTER"] === "none";
  if (url === null || isOff || !URL.canParse(url)) return null;
  const every = Number(environment["OTEL_METRIC_EXPORT_INTERVAL"]);
  const startedAt = options.now();
  const stopping = new AbortController();
  const headers = { "content-type": "application/json", ...headersIn(environment["OTEL_EXPORTER_OTLP_HEADERS"] ?? "") };
  let failing = false;
  let pushing: Promise<void> | null = null;

  async function push(): Promise<void> {
    try {
      const body = JSON.stringify(otlpMetrics({ ...(await options.read()), at: options.now(), startedAt }, options.resource));
      const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(giveUpMs)]);
      const response = await fetch(url ?? "", { method: "POST", headers, body, signal, redirect: "error" });
      if (!response.ok) {
        await response.body?.cancel();
        throw new Error(`HTTP ${response.status}`);
      }
      if (refusesSome(await response.text())) throw new Error("some were refused");
      failing = false;
    } catch (error) {
      // Not the error itself: it may quote the address, and that may hold a password.
      const reason = error instanceof Error ? error.name : "unknown";
      if (!failing && !stopping.signal.aborted) logger.warn({ reason }, "metrics were not taken by the OTLP endpoint; trying again");
      failing = true;
    }
  }

  const timer = setInterval(
    () => {
      pushing ??= push().finally(() => (pushing = null));
    },
    every > 0 ? every : defaultEveryMs,
  );
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await pushing;
    },
  };
}

/** As the OpenTelemetry specification has it: the endpoint for metrics is whole, the common one is a base. */
function metricsEndpoint(environment: Readonly<Record<string, string | undefined>>): string | null {
  const own = environment["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] ?? "";
  const base = environment["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "";
  return own !== "" ? own : base !== "" ? `${base.replace(/\/+$/, "")}/v1/metrics` : null;
}

/** `name=value,name=value`, percent-encoded. What cannot be read is left out. */
function headersIn(text: string): Record<string, string> {
  const pairs = text.split(",").flatMap((pair): [string, string][] => {
    const [, name, value] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    try {
      return name === undefined || value === undefined ? [] : [[name.toLowerCase(), decodeURIComponent(value)]];
    } catch {
      return [];
    }
  });
  return Object.fromEntries(pairs);
}
