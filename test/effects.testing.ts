import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";

/** One time that something happened at the upstream. */
export type Effect = {
  key: string;
  tool: string;
  amount: number;
  at: number;
  /** Of the action that asked for it. */ trace: string | null;
};

/** A call that is being held open: when it came, and whether its sender went away before the answer. */
export type HeldCall = { key: string; at: number; abandoned: boolean };

/** An upstream over HTTP that writes down what it does, before it says that it did it. */
export type Effects = AsyncDisposable & {
  url: string;
  /** Everything that happened, read back from the disk. */
  done(): Effect[];
  /** Calls to `hold` that are open, and those that were. */
  held(): readonly HeldCall[];
  /** Answers every call that is held. */
  releaseAll(): void;
};

const object = (properties: object, required: readonly string[]) => ({ type: "object", properties, required, additionalProperties: false });

const tools = [
  { name: "pay", inputSchema: object({ key: { type: "string" }, amount: { type: "integer", minimum: 0 } }, ["key", "amount"]) },
  { name: "note", inputSchema: object({ key: { type: "string" } }, ["key"]) },
  { name: "mail", inputSchema: object({ key: { type: "string" } }, ["key"]) },
  { name: "hold", inputSchema: object({ key: { type: "string" } }, ["key"]) },
];

type Request = {
  id?: number;
  method: string;
  params?: { name?: string; arguments?: { key?: string; amount?: number }; _meta?: { traceparent?: string } };
};

/** @param file the log, a line an effect; each is on the disk before its call is answered. */
export async function openEffects(file: string): Promise<Effects> {
  const log = openSync(file, "a");
  const held: (HeldCall & { release(): void })[] = [];

  function perform(tool: string, { key = "", amount = 0 }: { key?: string; amount?: number }, traceparent: string | undefined): void {
    const effect: Effect = { key, tool, amount, at: Date.now(), trace: traceparent?.split("-")[1] ?? null };
    writeSync(log, `${JSON.stringify(effect)}\n`);
    fsyncSync(log);
  }

  function answer({ id, method, params }: Request, response: ServerResponse): void {
    const send = (result: object): void => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
    };
    if (method === "initialize") {
      send({ protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "effects", version: "1" } });
    } else if (method === "tools/list") {
      send({ tools: tools.map((tool) => ({ ...tool, description: `Does ${tool.name}.` })) });
    } else if (method === "tools/call") {
      const { name = "", arguments: given = {}, _meta: meta } = params ?? {};
      const done = (): void => send({ content: [{ type: "text", text: `did ${given.key}` }] });
      perform(name, given, meta?.traceparent);
      if (name !== "hold") return done();
      const call = { key: given.key ?? "", at: Date.now(), abandoned: false, release: done };
      held.push(call);
      response.once("close", () => {
        if (!response.writableEnded) call.abandoned = true;
      });
    } else {
      const error = { code: -32601, message: "Method not found" };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, error }));
    }
  }

  const server = createServer((request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end();
    void bodyOf(request).then(
      (body) => (body.id === undefined ? void response.writeHead(202).end() : answer(body, response)),
      () => response.destroy(),
    );
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    done: () =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Effect),
    held: () => held,
    releaseAll() {
      for (const call of held) if (!call.abandoned) call.release();
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      closeSync(log);
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Request;
}
