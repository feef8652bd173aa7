import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { ActionOutcome, IssuedSecret, LoginLink, StartedSession } from "@remit/contract";
import type { PausableLine } from "./pausable-line.testing.ts";
import { openLine } from "./pausable-line.testing.ts";

const remit = join(import.meta.dirname, "../packages/cli/src/remit.ts");

/** How others reach all of them. Nobody resolves this name: tests go to each by its own address. */
export const publicUrl = "http://remit.test";

/** One server process of several on one database. */
export type Replica = {
  name: string;
  url: string;
  dataDir: string;
  logFile: string;
  /** Its line to the database, where one was asked for. */
  line: PausableLine | null;
  pid(): number | null;
  /** It runs, and has said that it listens. */
  listens(): boolean;
  /** Starts it, and waits until it listens. @throws where it ends before */
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  /** SIGTERM; its exit code. */
  terminate(): Promise<number | null>;
};

/** What an MCP call came to: nothing, where nobody answered. */
export type Called = { outcome: ActionOutcome["type"]; code: string | null; actionId: string | null } | null;

export type Replicas = Awaited<ReturnType<typeof openReplicas>>;

export type ReplicasOptions = {
  count: number;
  databaseUrl: string;
  /** Each reaches the database by a line that can be paused. */
  lines?: boolean;
  environment?: Record<string, string>;
};

/** So many servers as processes of their own, each with a data folder of its own, as on machines of their own. None is started yet. */
export async function openReplicas({ count, databaseUrl, lines = false, environment = {} }: ReplicasOptions) {
  const folder = await mkdtemp(join(tmpdir(), "remit-replicas-"));
  await chmod(folder, 0o755);
  const masterKey = randomBytes(32).toString("base64");
  const replicas: Replica[] = [];
  // Whoever ends without cleaning up leaves no servers behind.
  process.once("exit", () => {
    for (const replica of replicas) {
      const pid = replica.pid();
      if (pid !== null) signal(pid, "SIGKILL");
    }
  });
  for (let index = 0; index < count; index += 1) {
    const line = lines ? await openLine(databaseUrl) : null;
    const env = { ...environment, DATABASE_URL: line?.url ?? databaseUrl, REMIT_MASTER_KEY: masterKey };
    replicas.push(await createReplica({ name: String.fromCodePoint(97 + index), folder, line, env }));
  }
  const sessions = new Map<string, string>();
  const secrets = new Map<string, Promise<IssuedSecret>>();
  const tokens = new Map<string, { token: Promise<string>; until: number }>();
  const failures: string[] = [];

  /** Asks one replica. @throws where it says no */
  async function ask<Answer>(replica: Replica, path: string, body: unknown, authorization: string): Promise<Answer> {
    const response = await fetch(`${replica.url}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} of ${replica.name}: ${response.status} ${text}`);
    return JSON.parse(text) as Answer;
  }

  async function machine(replica: Replica): Promise<string> {
    return `Machine ${(await readFile(join(replica.dataDir, "machine.key"), "utf8")).trim()}`;
  }

  /** A person's session: made on one replica, good on all. */
  async function person(party: string, replica = pick()): Promise<string> {
    const known = sessions.get(party);
    if (known !== undefined) return known;
    const { url } = await ask<LoginLink>(replica, "/v1/links", { party }, await machine(replica));
    const { token } = await ask<StartedSession>(pick(), "/v1/sessions", { link: url }, "");
    sessions.set(party, `Bearer ${token}`);
    return `Bearer ${token}`;
  }

  let turn = 0;
  /** Spreads what is asked over those that run. */
  function pick(): Replica {
    const running = replicas.filter((replica) => replica.listens());
    turn += 1;
    const next = running[turn % running.length] ?? replicas[0];
    if (next === undefined) throw new Error("there are no replicas");
    return next;
  }

  /** An agent's token: made on one replica, good on all. */
  async function agentToken(agent: string, replica: Replica): Promise<string> {
    let known = tokens.get(agent);
    if (known === undefined || known.until < Date.now()) {
      known = { token: issueToken(agent, replica), until: Date.now() + 120_000 };
      tokens.set(agent, known);
    }
    try {
      return await known.token;
    } catch (error) {
      if (tokens.get(agent) === known) tokens.delete(agent);
      throw error;
    }
  }

  async function issueToken(agent: string, replica: Replica): Promise<string> {
    const making = secrets.get(agent) ?? machine(replica).then((key) => ask<IssuedSecret>(replica, `/v1/agents/${agent}/secrets`, {}, key));
    secrets.set(agent, making);
    making.catch(() => secrets.delete(agent));
    return tokenOf(await making, replica);
  }

  async function tokenOf(secret: IssuedSecret, replica: Replica): Promise<string> {
    const response = await fetch(`${replica.url}/oidc/token`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`${secret.clientId}:${secret.clientSecret}`).toString("base64")}` },
      body: new URLSearchParams({ grant_type: "client_credentials", resource: secret.resource }),
      signal: AbortSignal.timeout(60_000),
    });
    const { access_token: token } = (await response.json()) as { access_token?: string };
    if (token === undefined) throw new Error(`${replica.name} gave no token: ${response.status}`);
    return token;
  }

  return {
    folder,
    masterKey,
    all: replicas as readonly Replica[],
    pick,
    ask,
    /** Why calls were not answered, in order. */
    failures: failures as readonly string[],
    machine,
    person,
    agentToken,
    tokenOf,
    /** One request over MCP to one replica, with whatever session it names. */
    async rpc(
      replica: Replica,
      token: string,
      message: object,
      headers: Record<string, string> = {},
      signal = AbortSignal.timeout(60_000),
    ) {
      const response = await fetch(`${replica.url}/mcp`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headers,
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
        signal,
      });
      const text = await response.text();
      const line = text.startsWith("{")
        ? text
        : (text
            .split("\n")
            .findLast((each) => each.startsWith("data: {"))
            ?.slice(6) ?? "{}");
      return { status: response.status, headers: response.headers, json: JSON.parse(line) as Rpc };
    },
    /** One call of a tool, again where a server that is busy with a change has let nothing happen. */
    async call(replica: Replica, agent: string, tool: string, args: object, key: string | null = null): Promise<Called> {
      for (const end = Date.now() + 120_000; ; await delay(200)) {
        const seen = failures.length;
        const called = await this.callOnce(replica, agent, tool, args, key);
        const isBusy = called === null && failures.slice(seen).some((each) => each.includes("control-state-stale"));
        if ((!isBusy && called?.code !== "control-state-stale") || Date.now() > end) return called;
      }
    },
    /** One call of a tool by an agent. Null: nobody answered it, and what became of it is in the ledger. */
    async callOnce(
      replica: Replica,
      agent: string,
      tool: string,
      args: object,
      key: string | null = null,
      timeoutMs = 60_000,
    ): Promise<Called> {
      try {
        const token = await agentToken(agent, replica);
        const meta = key === null ? {} : { _meta: { "remit/idempotency-key": key } };
        const message = { method: "tools/call", params: { name: `effects__${tool}`, arguments: args, ...meta } };
        const { status, json } = await this.rpc(replica, token, message, {}, AbortSignal.timeout(timeoutMs));
        if (status === 401) tokens.delete(agent);
        const said = json.result?._meta?.["remit/outcome"];
        if (said !== undefined) return { outcome: said.type, code: "code" in said ? said.code : null, actionId: said.actionId };
        if (json.result === undefined) {
          failures.push(`${replica.name}: ${status} ${JSON.stringify(json).slice(0, 300)}`);
          return null;
        }
        return { outcome: "succeeded", code: null, actionId: json.result._meta?.["remit/action"] ?? null };
      } catch (error) {
        failures.push(`${replica.name}: ${String(error)}`);
        return null;
      }
    },
    async startAll(): Promise<void> {
      await Promise.all(replicas.map((replica) => replica.start()));
    },
    /** Applies a registry on one, and waits until all have loaded it. */
    async apply(files: Record<string, string>): Promise<void> {
      const first = pick();
      await ask(first, "/v1/registry/apply", { files }, await machine(first));
      for (const replica of replicas) {
        await until(`${replica.name} has the registry`, async () => {
          const agents = await ask<{ items: unknown[] }>(replica, "/v1/agents", undefined, await machine(replica)).catch(() => null);
          return agents !== null && agents.items.length > 0;
        });
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(replicas.map((replica) => replica.kill()));
      for (const { line } of replicas) await line?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Rpc = {
  result?: { _meta?: { "remit/outcome"?: ActionOutcome; "remit/action"?: string } } & Record<string, unknown>;
  error?: { code: number; message: string };
};

async function createReplica(options: {
  name: string;
  folder: string;
  line: PausableLine | null;
  env: Record<string, string>;
}): Promise<Replica> {
  const { name, folder, line } = options;
  const dataDir = join(folder, name);
  await mkdir(dataDir, { mode: 0o700 });
  const port = await freePort();
  const logFile = join(folder, `${name}.log`);
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, NO_COLOR: "1", ...options.env };
  let child: ChildProcess | null = null;
  let listening: ChildProcess | null = null;
  const pid = (): number | null => (child === null || child.exitCode !== null || child.signalCode !== null ? null : (child.pid ?? null));

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    const ending = child;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return ending?.exitCode ?? null;
    const exited = once(ending, "exit");
    ending.kill(signal);
    await exited;
    return ending.exitCode;
  }

  return {
    name,
    url: `http://127.0.0.1:${port}`,
    dataDir,
    logFile,
    line,
    pid,
    listens: () => pid() !== null && listening === child,
    async start() {
      const log = openSync(logFile, "a");
      const args = ["up", "--json", "--port", String(port), "--data-dir", dataDir, "--public-url", publicUrl, "--registry", folder];
      const started = spawn(process.execPath, [remit, ...args], { env, cwd: folder, stdio: ["ignore", "pipe", log] });
      child = started;
      const ready = Promise.withResolvers<void>();
      if (started.stdout !== null) createInterface({ input: started.stdout }).once("line", () => ready.resolve());
      started.once("exit", (code, signal) => ready.reject(new Error(`${name} ended with ${code ?? signal}; see ${logFile}`)));
      await ready.promise;
      listening = started;
    },
    async kill() {
      await end("SIGKILL");
    },
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    terminate: () => end("SIGTERM"),
  };
}

/** False: there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Waits for a state, not for a time. @throws after a long while, saying what did not come */
export async function until<Value>(
  what: string,
  look: () => Promise<Value | null | false | undefined> | Value | null | false | undefined,
): Promise<Value> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`it did not come to this: ${what}`);
    await delay(50);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
