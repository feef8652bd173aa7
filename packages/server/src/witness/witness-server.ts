import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { formatNoteKey, maxAddCheckpointLength } from "@remit/core";
import { lockFolder } from "./folder-lock.ts";
import type { WitnessSettings } from "./witness-folder.ts";
import { createWitness } from "./witness.ts";
import type { Witness } from "./witness.ts";

export type WitnessServer = { url: string; stop(): Promise<void> };

export type WitnessServerOptions = {
  host: string;
  /** 0: any free one. */
  port: number;
  onProblem?: (what: string) => void;
};

/**
 * Serves a witness: `POST /add-checkpoint` and `GET /<hash of the origin>/checkpoint` as C2SP tlog-witness has them.
 * It asks nobody who they are: only what a ledger's own key has signed is looked at. TLS is for what stands before it.
 */
export async function serveWitness(settings: WitnessSettings, options: WitnessServerOptions): Promise<WitnessServer> {
  const { onProblem = () => {} } = options;
  const lock = await lockFolder(settings.folder);
  try {
    const witness = await createWitness(settings, { onProblem });
    const server = createServer(
      { headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 60_000, maxHeaderSize: 8_192 },
      (request, response) => {
        answer(witness, settings, request, response).catch((error: unknown) => {
          onProblem(error instanceof Error ? error.message : String(error));
          if (!response.headersSent) send(response, 500, "text/plain; charset=utf-8", "The witness cannot answer; its own log says why\n");
          else response.destroy();
        });
      },
    );
    server.maxConnections = 1_000;
    server.listen(options.port, options.host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return {
      url: `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
      async stop() {
        const closed = once(server, "close");
        server.close();
        server.closeIdleConnections();
        const timer = setTimeout(() => server.closeAllConnections(), 5_000);
        await closed;
        clearTimeout(timer);
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function answer(witness: Witness, settings: WitnessSettings, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const text = "text/plain; charset=utf-8";
  if (path === "/add-checkpoint") {
    if (request.method !== "POST") return send(response, 405, text, "This takes POST\n", { allow: "POST" });
    const body = await readText(request);
    if (body === null)
      return send(response, 413, text, `A request has at most ${maxAddCheckpointLength} bytes of UTF-8\n`, { connection: "close" });
    const answer = await witness.addCheckpoint(body);
    return send(response, answer.status, answer.type, answer.body);
  }
  const [, originHash] = /^\/([0-9a-f]{64})\/checkpoint$/.exec(path) ?? [];
  if (request.method !== "GET" && request.method !== "HEAD") return send(response, 405, text, "This takes GET\n", { allow: "GET, HEAD" });
  if (originHash !== undefined) {
    const note = await witness.latest(originHash);
    if (note === null) return send(response, 404, text, "Nothing of this ledger has been cosigned here\n");
    return send(response, 200, text, note, { "cache-control": "public, max-age=1" });
  }
  if (path !== "/") return send(response, 404, text, "There is nothing at this address\n");
  const keys = settings.signers.map(({ key }) => formatNoteKey(key));
  const origins = new Set(settings.logs.map(({ name }) => name));
  return send(
    response,
    200,
    text,
    [`witness ${settings.name}`, ...keys.map((key) => `key ${key}`), ...[...origins].map((name) => `watches ${name}`), ""].join("\n"),
  );
}

function send(response: ServerResponse, status: number, type: string, body: string, more: Record<string, string> = {}): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    ...more,
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Null when there is too much of it, or when it is not UTF-8. */
async function readText(request: IncomingMessage): Promise<string | null> {
  if (Number(request.headers["content-length"] ?? 0) > maxAddCheckpointLength) return null;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxAddCheckpointLength) return null;
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    // Signed notes are UTF-8; what is not cannot be one.
    return "";
  }
}
