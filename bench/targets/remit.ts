import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cpuTimeOfTree, memoryOfTree } from "../process-tree.ts";
import { startNode } from "./child.ts";
import type { Child } from "./child.ts";
import { openHttpSession } from "./http-session.ts";
import { registryFiles } from "./remit-registry.ts";
import type { GovernedAgent } from "./remit-registry.ts";
import type { Target } from "./target.ts";

const program = fileURLToPath(new URL("../servers/remit-server.ts", import.meta.url));

/** As `remit` and `npm start` start a server. */
const asStarted = "--max-semi-space-size=64";

/** A token lives five minutes, and the bench may take longer. */
const renewTokenMs = 3 * 60_000;

/** An agent of the bench, and the row that it has. */
export type RemitAgent = GovernedAgent & { title: string };

export type RemitOptions = {
  agents: readonly RemitAgent[];
  /** Composed of parts that leave out stages for some agents. */
  replaced?: boolean;
  environment?: Record<string, string>;
  nodeOptions?: readonly string[];
};

/** One Remit with its own PostgreSQL; a target for each of its agents, who differ in what their policies ask. */
export async function startRemit({ agents, replaced = false, environment = {}, nodeOptions = [] }: RemitOptions): Promise<RemitTarget[]> {
  const folder = await mkdtemp(join(tmpdir(), "remit-bench-"));
  // PostgreSQL may run as another user, who has to reach its data.
  await chmod(folder, 0o755);
  const dataDir = join(folder, "data");
  const env = { ...process.env, ...environment };
  const child = startNode([asStarted, ...nodeOptions, program, dataDir, ...(replaced ? ["replaced"] : [])], { env });
  const lines = linesOf(child);
  let users = agents.length;
  async function stop(): Promise<void> {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  }
  try {
    const { url, machineKeyFile } = (await lines()) as { url: string; machineKeyFile: string };
    const version = (await readFile(join(dataDir, "postgres/data/PG_VERSION"), "utf8")).trim();
    const machine = `Machine ${(await readFile(machineKeyFile, "utf8")).trim()}`;
    await post(`${url}/v1/registry/apply`, machine, { files: registryFiles(agents) });
    return await Promise.all(
      agents.map(async ({ name, title, tool = "echo__echo" }): Promise<RemitTarget> => {
        const secret = (await post(`${url}/v1/agents/${name}/secrets`, machine, {})) as Secret;
        let token = await newToken(url, secret);
        const renewing = setInterval(() => void newToken(url, secret).then((renewed) => (token = renewed)), renewTokenMs);
        const session = await openHttpSession(new URL(`${url}/mcp`), () => token);
        return {
          name: title,
          versions: { postgresql: version },
          call: (text) => session.call(tool, text),
          cpuTime: () => cpuTimeOfTree(child.pid),
          memory: () => memoryOfTree(child.pid),
          async memoryLeft() {
            child.process.kill("SIGUSR2");
            return (await lines()) as MemoryLeft;
          },
          async stop() {
            clearInterval(renewing);
            await session.close();
            users -= 1;
            if (users === 0) await stop();
          },
        };
      }),
    );
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Bytes, after garbage has been collected. */
export type MemoryLeft = { rss: number; heapUsed: number; external: number };

export type RemitTarget = Target & { memoryLeft(): Promise<MemoryLeft> };

/** What the server says, one line at each call. */
function linesOf(child: Child): () => Promise<unknown> {
  const { stdout } = child.process;
  if (stdout === null) throw new Error("the server has no stdout");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("Remit ended before it was stopped");
    return JSON.parse(value) as unknown;
  };
}

type Secret = { clientId: string; clientSecret: string };

function post(url: string, authorization: string, body: object): Promise<unknown> {
  return send(url, { authorization, "content-type": "application/json" }, JSON.stringify(body));
}

async function newToken(url: string, { clientId, clientSecret }: Secret): Promise<string> {
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`;
  const body = new URLSearchParams({ grant_type: "client_credentials", resource: `${url}/mcp` });
  return ((await send(`${url}/oidc/token`, { authorization }, body)) as { access_token: string }).access_token;
}

async function send(url: string, headers: Record<string, string>, body: string | URLSearchParams): Promise<unknown> {
  const response = await fetch(url, { method: "POST", headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`HTTP ${response.status} from ${url}: ${text.slice(0, 2_000)}`);
  return JSON.parse(text);
}
