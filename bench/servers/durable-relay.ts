/**
 * The floor: the least that a relay can do which writes down, durably, what it is about to do before it does it, and what came of it
 * before it answers. No identity, schema, policy, budget, sealing, hashes or order; one row of two columns for each. Its commits are
 * shared as Remit's are, over the same short way to the same PostgreSQL. `node durable-relay.ts <data folder>`
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { openDatabase, startEmbeddedPostgres } from "@remit/server/testing";

const [, , dataFolder, echoProgram] = process.argv;
if (dataFolder === undefined || echoProgram === undefined) throw new Error("usage: durable-relay.ts <data folder> <echo server>");

type Message = { id?: number; method?: string; params?: { name: string; arguments: unknown } };

const postgres = await startEmbeddedPostgres({ dataFolder });
const database = openDatabase({ url: postgres.ownerUrl, role: null });
await database.query("CREATE TABLE note (id text PRIMARY KEY, body text NOT NULL)");

let notes: { id: string; body: string; written: () => void; failed: (error: unknown) => void }[] = [];
let isWriting = false;

/** Resolves once it is on the disk. What comes while others are being written goes with the next. */
function write(id: string, body: string): Promise<void> {
  return new Promise((written, failed) => {
    notes.push({ id, body, written, failed });
    if (!isWriting) void writeAll();
  });
}

async function writeAll(): Promise<void> {
  isWriting = true;
  while (notes.length > 0) {
    await new Promise((resolve) => setImmediate(resolve));
    const batch = notes;
    notes = [];
    const values = [batch.map(({ id }) => id), batch.map(({ body }) => body)];
    try {
      await database.atomically([{ name: "write", text: "INSERT INTO note SELECT * FROM unnest($1::text[], $2::text[])", values }]);
      for (const { written } of batch) written();
    } catch (error) {
      for (const { failed } of batch) failed(error);
    }
  }
  isWriting = false;
}

const echo = spawn(process.execPath, [echoProgram], { stdio: ["pipe", "pipe", "inherit"] });
const waiting = new Map<number, (line: string) => void>();
let rest = "";
echo.stdout.setEncoding("utf8").on("data", (text: string) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) {
    const { id } = JSON.parse(line) as Message;
    if (id === undefined) continue;
    waiting.get(id)?.(line);
    waiting.delete(id);
  }
});

let nextId = 0;
function ask(method: string, params: unknown): Promise<string> {
  const id = nextId++;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    echo.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
  });
}

let calls = 0;
async function answer(message: Message): Promise<string> {
  if (message.method !== "tools/call") return ask(message.method ?? "", message.params ?? {});
  const id = String(calls++);
  await write(`${id}/intent`, JSON.stringify(message.params));
  const { result } = JSON.parse(await ask("tools/call", message.params)) as { result: unknown };
  const text = JSON.stringify(result);
  await write(`${id}/outcome`, text);
  return `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":${text}}`;
}

async function read(request: IncomingMessage): Promise<Message> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as Message;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const message = await read(request);
    if (message.id === undefined) {
      echo.stdin.write(`${JSON.stringify(message)}\n`);
      response.writeHead(202).end();
    } else {
      response.writeHead(200, { "content-type": "application/json" }).end(await answer(message));
    }
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}

const server = createServer((request, response) => void serve(request, response));
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
process.once("SIGTERM", () => {
  echo.kill();
  server.close();
  server.closeAllConnections();
  void database
    .close()
    .then(() => postgres.stop())
    .then(() => process.exit(0));
});
