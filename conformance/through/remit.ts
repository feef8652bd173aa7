import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startServer } from "@remit/server";

/** Renewed well before it ends. */
const tokenLifeMs = 2 * 60_000;

export type Remit = {
  url: string;
  /** As whoever owns the data folder. */
  post(path: string, body: object): Promise<unknown>;
  get(path: string): Promise<unknown>;
  /** A token of this agent, good for some minutes yet. */
  token(agent: string): Promise<string>;
  /** A token of the agent as it is now; one of before a change of it is worth nothing. */
  newToken(agent: string): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** A real server: on a database that is given, or on the PostgreSQL that it brings. */
export async function startRemit(databaseUrl?: string): Promise<Remit> {
  const folder = await mkdtemp(join(tmpdir(), "remit-conformance-"));
  // PostgreSQL may run as another user, who has to reach its data.
  await chmod(folder, 0o755);
  const server = await startServer({
    dataDir: join(folder, "data"),
    host: "127.0.0.1",
    port: 0,
    logLevel: process.env["REMIT_LOG_LEVEL"] ?? "error",
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    // The authorization servers of the referee are on this machine.
    environment: { REMIT_OUTBOUND_ALLOW: "127.0.0.0/8,::1/128" },
  });
  const machine = `Machine ${(await readFile(server.machineKeyFile, "utf8")).trim()}`;
  const post = (path: string, body: object) =>
    send(`${server.url}${path}`, { authorization: machine, "content-type": "application/json" }, JSON.stringify(body));
  const secrets = new Map<string, Promise<Secret>>();
  const tokens = new Map<string, { token: Promise<string>; until: number }>();

  async function newToken(agent: string): Promise<string> {
    let secret = secrets.get(agent);
    if (secret === undefined) secrets.set(agent, (secret = post(`/v1/agents/${agent}/secrets`, {}) as Promise<Secret>));
    const { clientId, clientSecret } = await secret;
    const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`;
    const body = new URLSearchParams({ grant_type: "client_credentials", resource: `${server.url}/mcp` });
    return ((await send(`${server.url}/oidc/token`, { authorization }, body)) as { access_token: string }).access_token;
  }

  return {
    url: server.url,
    post,
    get: (path) => send(`${server.url}${path}`, { authorization: machine }, null),
    newToken,
    token(agent) {
      const known = tokens.get(agent);
      if (known !== undefined && known.until > Date.now()) return known.token;
      const token = newToken(agent);
      tokens.set(agent, { token, until: Date.now() + tokenLifeMs });
      return token;
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Secret = { clientId: string; clientSecret: string };

/** Asks again where a busy machine has left the server without its control state for a moment. */
async function send(url: string, headers: Record<string, string>, body: string | URLSearchParams | null): Promise<unknown> {
  const deadline = Date.now() + 60_000;
  const ask = () => fetch(url, { method: body === null ? "GET" : "POST", headers, body });
  let response = await ask();
  let text = await response.text();
  while (response.status === 503 && text.includes("control state") && Date.now() < deadline) {
    await delay(200);
    response = await ask();
    text = await response.text();
  }
  if (!response.ok) throw new Error(`HTTP ${response.status} from ${url}: ${text.slice(0, 4_000)}`);
  return JSON.parse(text);
}
