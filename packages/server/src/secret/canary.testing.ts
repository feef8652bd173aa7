import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { IssuedSecret, LoginLink, StartedSession } from "@remit/contract";
import { openTestDatabase } from "../database/testing.ts";
import { everyForm } from "./fixtures/every-form.ts";

/** A hostile HTTP upstream: it repeats what it was shown, in results, errors, refusals and descriptions. */
export async function openHttpParrot() {
  const shown: string[] = [];
  const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    const url = new URL(request.url ?? "/", "http://parrot");
    const secrets = [...url.searchParams.values(), ...["authorization", "x-api-key"].flatMap((name) => request.headers[name] ?? [])].map(
      String,
    );
    shown.push(...secrets);
    const said = secrets.flatMap((secret) => everyForm(secret.replace(/^(?:Bearer|Basic) /, "")));
    if (request.method !== "POST") {
      response.writeHead(405, { "x-said": encodeURIComponent(secrets.join(" ")) }).end(said.join("\n"));
      return;
    }
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { id, method, params } = JSON.parse(body) as {
        id?: number;
        method?: string;
        params?: { name?: string; protocolVersion?: string };
      };
      if (id === undefined) {
        response.writeHead(202).end();
        return;
      }
      if (method === "tools/call" && params?.name === "refuse") {
        response
          .writeHead(401, { "www-authenticate": `Bearer error="invalid_token", error_description="${secrets.join(" ")}"` })
          .end(said.join("\n"));
        return;
      }
      if (method === "tools/call" && params?.name === "garble") {
        response.writeHead(500, { "content-type": "text/plain" }).end(said.join("\n"));
        return;
      }
      const answer =
        method === "initialize"
          ? {
              result: {
                protocolVersion: params?.protocolVersion,
                capabilities: { tools: {} },
                serverInfo: { name: said.join(" "), version: "1" },
              },
            }
          : method === "tools/list"
            ? {
                result: {
                  tools: ["result", "error", "refuse", "garble"].map((name) => ({
                    name,
                    description: said.join(" "),
                    inputSchema: { type: "object" },
                  })),
                },
              }
            : params?.name === "result"
              ? { result: { content: [{ type: "text", text: said.join("\n") }], structuredContent: { said } } }
              : { error: { code: -32000, message: said.join(" "), data: said } };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    shown,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A whole server as a process of its own, and everything that ever leaves it. */
export async function openCanaryWorld() {
  const test = await openTestDatabase();
  const folder = await mkdtemp(join(tmpdir(), "remit-canary-"));
  const traces: string[] = [];
  const collector = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    request.on("data", (chunk: Buffer) => void traces.push(chunk.toString("latin1")));
    request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const output: string[] = [];
  const answers: string[] = [];
  const server = spawn(process.execPath, [fileURLToPath(new URL("../action/fixtures/crash-server.ts", import.meta.url))], {
    env: {
      ...process.env,
      TEST_DATA_DIR: join(folder, "data"),
      TEST_REGISTRY_DIR: folder,
      TEST_LOG_LEVEL: "trace",
      DATABASE_URL: test.url,
      REMIT_OUTBOUND_ALLOW: "127.0.0.0/8",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  server.stderr.on("data", (chunk: Buffer) => void output.push(chunk.toString()));
  const exited = once(server, "exit");
  const [first] = (await Promise.race([once(server.stdout, "data"), exited.then(() => Promise.reject(new Error(output.join(""))))])) as [
    Buffer,
  ];
  const base = first.toString().trim();
  const machine = `Machine ${(await readFile(join(folder, "data", "machine.key"), "utf8")).trim()}`;

  /** Whatever is answered is kept for the search. */
  async function ask(path: string, body?: unknown, authorization = machine): Promise<{ status: number; text: string }> {
    const response = await fetch(`${base}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization, accept: "application/json, text/event-stream", "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    answers.push(`${path} ${JSON.stringify([...response.headers])} ${text}`);
    return { status: response.status, text };
  }

  return {
    ...test,
    base,
    ask,
    output,
    answers,
    traces,
    async person(party: string): Promise<string> {
      const { url } = JSON.parse((await ask("/v1/links", { party })).text) as LoginLink;
      return `Bearer ${(JSON.parse((await ask("/v1/sessions", { link: url })).text) as StartedSession).token}`;
    },
    async agent(session: string): Promise<(tool: string) => Promise<string>> {
      const secret = JSON.parse((await ask("/v1/agents/support-agent/secrets", {}, session)).text) as IssuedSecret;
      const response = await fetch(`${base}/oidc/token`, {
        method: "POST",
        headers: { authorization: `Basic ${Buffer.from(`${secret.clientId}:${secret.clientSecret}`).toString("base64")}` },
        body: new URLSearchParams({ grant_type: "client_credentials", resource: secret.resource }),
      });
      const token = `Bearer ${((await response.json()) as { access_token: string }).access_token}`;
      return async (tool) => {
        const params = { name: tool, arguments: {}, _meta: { progressToken: 1 } };
        return (await ask("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params }, token)).text;
      };
    },
    /** Resolves once every upstream answers: on a busy machine a program may still be starting when the registry is applied. */
    async untilReady(): Promise<void> {
      for (let turn = 0; turn < 300; turn += 1) {
        const { items } = JSON.parse((await ask("/v1/upstreams")).text) as { items: { state: string }[] };
        if (items.length > 0 && items.every(({ state }) => state === "ready")) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error("the upstreams are not ready after 30 s");
    },
    /** Every row of every table, as text. */
    async rows(): Promise<string[]> {
      const tables = await test.superuser.query<{ name: string }>(
        "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'",
      );
      const all = await Promise.all(
        tables.map(async ({ name }) =>
          (await test.superuser.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)).map(({ row }) => `${name}: ${row}`),
        ),
      );
      return all.flat();
    },
    /** What the server has written into its data folder. */
    async files(): Promise<string[]> {
      const entries = await readdir(join(folder, "data"), { recursive: true, withFileTypes: true });
      return Promise.all(
        entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), "latin1").catch(() => "")),
      );
    },
    /** The command line of every process of this machine that can be read. */
    async commandLines(): Promise<string[]> {
      const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
      return await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
    },
    async stop() {
      server.kill("SIGTERM");
      await exited;
    },
    async [Symbol.asyncDispose]() {
      server.kill("SIGKILL");
      await exited;
      collector.closeAllConnections();
      await new Promise((resolve) => collector.close(resolve));
      await test[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Where any form of a canary stands in these texts: the text around it. */
export function sightings(canary: string, texts: readonly string[]): string[] {
  const bytes = Buffer.from(canary);
  const aligned = [0, 1, 2].flatMap((before) => {
    // What every base64 of something with the canary in it has in common, for each place that it can begin at.
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const core = encoded.slice(before === 0 ? 0 : 4, Math.floor(((before + bytes.length) * 8) / 6) - 2);
    return [core, core.replaceAll("+", "-").replaceAll("/", "_")];
  });
  const forms = [canary, bytes.toString("hex"), bytes.toString("hex").toUpperCase(), ...aligned];
  return texts.flatMap((text) => {
    const found = forms.find((form) => text.includes(form));
    return found === undefined ? [] : [text.slice(Math.max(0, text.indexOf(found) - 200), text.indexOf(found) + 100)];
  });
}
