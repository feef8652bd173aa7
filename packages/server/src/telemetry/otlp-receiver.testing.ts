import { type IncomingHttpHeaders, type RequestListener, createServer } from "node:http";
import type { AddressInfo } from "node:net";

type Attribute = { key: string; value: { stringValue?: string } };

export type ReceivedSpan = {
  service: string;
  resource: Record<string, string | undefined>;
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Record<string, string | undefined>;
  status: { code?: number; message?: string };
};

type Body = {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: (Omit<ReceivedSpan, "attributes" | "service" | "resource"> & { attributes: Attribute[] })[] }[];
  }[];
};

/** A server on loopback in the place of an OpenTelemetry collector. */
export async function openEndpoint(listener: RequestListener) {
  const http = createServer(listener);
  await new Promise<void>((listening) => http.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((closed) => http.close(closed));
    },
  };
}

/** One that takes what it is sent, in OTLP's JSON. */
export async function openReceiver() {
  const spans: ReceivedSpan[] = [];
  const metrics: { headers: IncomingHttpHeaders; body: object }[] = [];
  const paths = new Set<string | undefined>();
  const endpoint = await openEndpoint((request, response) => {
    paths.add(request.url);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Partial<Body>;
      if (request.url?.endsWith("/v1/metrics") === true) metrics.push({ headers: request.headers, body });
      for (const { resource, scopeSpans } of body.resourceSpans ?? []) {
        const of = named(resource.attributes);
        for (const span of scopeSpans.flatMap(({ spans }) => spans))
          spans.push({ ...span, service: of["service.name"] ?? "", resource: of, attributes: named(span.attributes) });
      }
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  return { ...endpoint, spans, metrics, paths };
}

function named(attributes: Attribute[]): Record<string, string | undefined> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
}
