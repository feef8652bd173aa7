import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { createLogger } from "../log/logger.ts";
import { openEndpoint, openReceiver } from "./otlp-receiver.testing.ts";
import { createTracing } from "./otlp-tracing.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parent = `00-${traceId}-b7ad6b7169203331-01`;
const notParents = [
  "nonsense",
  "",
  `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `ff-${traceId}-b7ad6b7169203331-01`,
  `00-${traceId.toUpperCase()}-b7ad6b7169203331-01`,
  `${parent}-more`,
  `${parent}\n`,
];

function loggerTo(lines: string[]) {
  return createLogger({ destination: { write: (line) => void lines.push(line) } });
}

test("[CTL-41][OBS-01][OBS-02] spans arrive under the service's name, below their parent and in its trace", async () => {
  await using receiver = await openReceiver();
  const lines: string[] = [];
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/`,
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=prod%20eu, team=support,,broken=%ZZ",
  };
  const tracing = await createTracing({ environment, logger: loggerTo(lines) });
  const action = tracing.start("action a.read", {
    service: "support-agent",
    parent,
    spanId: "1234567890abcdef",
    attributes: { "remit.n": "1" },
  });
  const decide = tracing.start("decide a.read", { service: "support-agent", parent: action.traceparent });
  decide.set({ "remit.verdict": "allow" });
  decide.end();
  action.end("upstream-failed");
  const wait = tracing.start("approval wait a.write", { service: null, parent: null, startedAt: new Date(1_000) });
  wait.end(undefined, new Date(61_000));
  await tracing.stop();

  expect([...receiver.paths]).toEqual(["/v1/traces"]);
  const [first, second, third] = ["action a.read", "decide a.read", "approval wait a.write"].map((name) =>
    receiver.spans.find((span) => span.name === name),
  );
  expect(receiver.spans).toHaveLength(3);
  expect(first).toMatchObject({
    service: "support-agent",
    traceId,
    spanId: "1234567890abcdef",
    parentSpanId: "b7ad6b7169203331",
    attributes: { "remit.n": "1" },
    status: { code: 2, message: "upstream-failed" },
  });
  expect(first?.resource).toMatchObject({ "service.version": "0.1.0", "deployment.environment.name": "prod eu", team: "support" });
  expect(first?.resource).not.toHaveProperty("broken");
  expect(action).toMatchObject({ traceId, traceparent: `00-${traceId}-1234567890abcdef-01` });
  expect(second).toMatchObject({
    service: "support-agent",
    traceId,
    parentSpanId: first?.spanId,
    attributes: { "remit.verdict": "allow" },
  });
  expect(third).toMatchObject({ service: "remit", startTimeUnixNano: "1000000000", endTimeUnixNano: "61000000000" });
  expect(third?.parentSpanId ?? "").toBe("");
  expect(lines).toEqual([]);
});

test("[OBS-02] any number of services share one way out", async () => {
  await using receiver = await openReceiver();
  const environment = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/own/path`, OTEL_SERVICE_NAME: "control" };
  const tracing = await createTracing({ environment, logger: loggerTo([]) });
  const services = Array.from({ length: 120 }, (_, index) => `service-${index}`);
  for (const service of [...services, ...services, null]) tracing.start("work", { service, parent: null }).end();
  await tracing.stop();
  expect([...receiver.paths]).toEqual(["/own/path"]);
  expect(receiver.spans).toHaveLength(241);
  expect(new Set(receiver.spans.map(({ service }) => service))).toEqual(new Set([...services, "control"]));
});

test.each([
  ["always_off", undefined, 0],
  ["traceidratio", "0", 0],
  ["parentbased_always_off", undefined, 1],
  ["parentbased_traceidratio", "1", 2],
  ["no such sampler", undefined, 2],
])("[OBS-02] OTEL_TRACES_SAMPLER %s is respected", async (sampler, argument, expected) => {
  await using receiver = await openReceiver();
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument };
  const tracing = await createTracing({ environment, logger: loggerTo([]) });
  const root = tracing.start("root", { service: null, parent: null });
  root.end();
  tracing.start("child", { service: null, parent }).end();
  await tracing.stop();
  expect(root.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  expect(receiver.spans).toHaveLength(expected);
});

test("[OBS-02] an endpoint that is down, silent, slow in words or broken loses spans and nothing else", async () => {
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown): void => void rejections.push(reason);
  process.on("unhandledRejection", onRejection);
  await using silent = await openEndpoint((request) => void request.resume());
  await using dripping = await openEndpoint((request, response) => {
    request.resume();
    const dripped = setInterval(() => response.write(" "), 50);
    response.on("close", () => clearInterval(dripped));
  });
  await using broken = await openEndpoint(
    (request, response) => void request.resume().on("end", () => response.writeHead(500).end("canary-9")),
  );
  await using busy = await openEndpoint(
    (request, response) => void request.resume().on("end", () => response.writeHead(429, { "retry-after": "1" }).end()),
  );
  const stopped = [silent.url, dripping.url, broken.url, busy.url, "http://127.0.0.1:9"].map(async (url) => {
    const lines: string[] = [];
    const tracing = await createTracing({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: url }, logger: loggerTo(lines) });
    for (let batch = 0; batch < 20; batch += 1) {
      for (let index = 0; index < 1_000; index += 1)
        tracing.start("work", { service: "agent", parent: null, attributes: { secret: "canary-9" } }).end();
      await new Promise((soon) => setImmediate(soon));
    }
    await tracing.stop();
    return lines.join("");
  });
  for (const lines of await Promise.all(stopped)) {
    const [, lost] = /"lost":(\d+)/.exec(lines) ?? [];
    expect(Number(lost)).toBe(20_000);
    expect(lines).not.toContain("canary-9");
  }
  await new Promise((soon) => setImmediate(soon));
  process.off("unhandledRejection", onRejection);
  expect(rejections).toEqual([]);
});

test.each([
  ["some", { partialSuccess: { rejectedSpans: "3", errorMessage: "canary-9 is too long" } }, 3],
  ["some, as a number", { partialSuccess: { rejectedSpans: 2 } }, 2],
  ["none, and warns", { partialSuccess: { rejectedSpans: "0", errorMessage: "soon" } }, 0],
  ["none", {}, 0],
])("[OBS-16] of an export that was taken, what the endpoint refuses is lost and told: %s", async (_name, answer, expected) => {
  await using partly = await openEndpoint((request, response) => {
    const done = () => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    request.resume().on("end", done);
  });
  const lines: string[] = [];
  const tracing = await createTracing({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: partly.url }, logger: loggerTo(lines) });
  for (let index = 0; index < 5; index += 1) tracing.start("work", { service: null, parent: null }).end();
  await tracing.stop();
  const [, lost = "0"] = /"lost":(\d+)/.exec(lines.join("")) ?? [];
  expect(Number(lost)).toBe(expected);
  expect(lines.join("")).not.toContain("canary-9");
});

/** Runs in a process of its own, and tells which of OpenTelemetry's modules it has loaded and how much memory it has come to use. */
function inChild(environment: Record<string, string>, spans: number): { loaded: number; grownMb: number; traceparent: string } {
  const script = `
    import { registerHooks } from "node:module";
    let loaded = 0;
    registerHooks({ load: (url, context, next) => { if (url.includes("@opentelemetry")) loaded += 1; return next(url, context); } });
    const { createTracing } = await import(${JSON.stringify(new URL("otlp-tracing.ts", import.meta.url).href)});
    const logger = { warn: () => undefined };
    const tracing = await createTracing({ environment: ${JSON.stringify(environment)}, logger });
    let last;
    const work = async (count) => {
      for (let n = 0; n < count; n += 1) {
        last = tracing.start("work", { service: "s" + (n % 500), parent: null, attributes: { n, text: "x".repeat(900) + n } });
        last.end();
        if (n % 1000 === 0) await new Promise((soon) => setImmediate(soon));
      }
      globalThis.gc();
      return process.memoryUsage().heapUsed;
    };
    const before = await work(10_000);
    const after = await work(${spans});
    await tracing.stop();
    console.log(JSON.stringify({ loaded, grownMb: (after - before) / 1e6, traceparent: last.traceparent }));`;
  const child = spawnSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: 200_000,
    // The exporter reads this one from the process.
    env: { ...process.env, OTEL_EXPORTER_OTLP_TIMEOUT: "1000" },
  });
  expect(child.stderr).toBe("");
  expect(child.status).toBe(0);
  return JSON.parse(child.stdout) as ReturnType<typeof inChild>;
}

test.each([
  {},
  { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_SDK_DISABLED: "true" },
  { OTEL_EXPORTER_OTLP_ENDPOINT: "no address at all" },
])("[OBS-02] OpenTelemetry is not loaded for %o, and ids are real all the same", (environment: Record<string, string>) => {
  const { loaded, traceparent } = inChild(environment, 10);
  expect(loaded).toBe(0);
  expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test("[OBS-02] memory does not grow with spans that nobody takes, and the process ends", () => {
  const { loaded, grownMb } = inChild({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" }, 100_000);
  expect(loaded).toBeGreaterThan(0);
  // All of them together would be more than 100.
  expect(grownMb).toBeLessThan(30);
}, 240_000);

test.each([{}, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" }])(
  "[OBS-01] a parent is continued if it is valid (%o)",
  async (environment) => {
    const tracing = await createTracing({ environment, logger: loggerTo([]) });
    const start = (parent: string) => tracing.start("work", { service: null, parent });
    expect(start(parent).traceId).toBe(traceId);
    expect(start(`cc-${traceId}-b7ad6b7169203331-01-more`).traceId).toBe(traceId);
    for (const notParent of notParents) {
      const { traceId: own, traceparent } = start(notParent);
      expect(own).not.toBe(traceId);
      expect(traceparent).toMatch(new RegExp(`^00-(?!0{32})${own}-(?!0{16})[0-9a-f]{16}-01$`));
    }
    await tracing.stop();
  },
);
