import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cpuTimeOfTree } from "../process-tree.ts";
import { startNode } from "./child.ts";
import type { Child } from "./child.ts";
import { openHttpSession } from "./http-session.ts";
import { registryFiles } from "./remit-registry.ts";
import type { Target } from "./target.ts";

const program = fileURLToPath(new URL("../servers/remit-server.ts", import.meta.url));

/** A token lives five minutes, and the bench may take longer. */
const renewTokenMs = 3 * 60_000;

const agents = [
  { name: "governed", title: "Remit", cap: false },
  { name: "capped", title: "Remit, with a cap", cap: true },
];

/** One Remit with its own PostgreSQL; a target for each of its agents, who differ in what their policies ask. */
export async function startRemit(): Promise<Target[]> {
  const folder = await mkdtemp(join(tmpdir(), "remit-bench-"));
  // PostgreSQL may run as another user, who has to reach its data.
  await chmod(folder, 0o755);
  const dataDir = join(folder, "data");
  const child = startNode([program, dataDir]);
  let users = agents.length;
  async function stop(): Promise<void> {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  }
  try {
    const { url, machineKeyFile } = await firstLine(child);
    const version = (await readFile(join(dataDir, "postgres/data/PG_VERSION"), "utf8")).trim();
    const machine = `Machine ${(await readFile(machineKeyFile, "utf8")).trim()}`;
    await post(`${url}/v1/registry/apply`, machine, { files: registryFiles(agents) });
    return await Promise.all(
      agents.map(async ({ name, title }): Promise<Target> => {
        const secret = (await post(`${url}/v1/agents/${name}/secrets`, machine, {})) as Secret;
        let token = await newToken(url, secret);
        const renewing = setInterval(() => void newToken(url, secret).then((renewed) => (token = renewed)), renewTokenMs);
        const session = await openHttpSession(new URL(`${url}/mcp`), () => token);
        return {
          name: title,
          versions: { postgresql: version },
          call: (text) => session.call("echo__echo", text),
          cpuTime: () => cpuTimeOfTree(child.pid),
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

type Secret = { clientId: string; clientSecret: string };

/** What the server says when it is up. */
async function firstLine(child: Child): Promise<{ url: string; machineKeyFile: string }> {
  const { stdout } = child.process;
  if (stdout === null) throw new Error("the server has no stdout");
  for await (const line of createInterface({ input: stdout })) return JSON.parse(line) as { url: string; machineKeyFile: string };
  throw new Error("Remit ended before it had begun");
}

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
