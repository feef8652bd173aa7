import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RemitError } from "@remit/contract";
import { z } from "zod";
import { configDir } from "../context/context-store.ts";
import type { Surroundings } from "../terminal/terminal.ts";

/** Where an agent's calls go, and how it proves who it is. */
export type AgentAccess = {
  /** The gateway, `https://…/mcp`. */
  mcpUrl: string;
  /** A token that is good for a while yet. @throws RemitError `unauthenticated` | `server-unavailable` */
  token(): Promise<string>;
  /** Forgets a token that is refused: an agent's tokens end when what it is changes, and the next one is of what it is now. */
  forget(): Promise<void>;
};

/** What `remit agents secret new <agent> --json` prints. */
const credentialsSchema = z.looseObject({
  clientId: z.string().min(1),
  clientSecret: z.string().min(1),
  tokenEndpoint: z.url(),
  resource: z.url(),
});
type Credentials = z.infer<typeof credentialsSchema>;

const tokenSchema = z.looseObject({ access_token: z.string().min(1), expires_in: z.number().positive() });
const keptSchema = z.object({ token: z.string(), endsAt: z.number() });

/** A token is renewed so long before it ends. Milliseconds. */
const marginMs = 30_000;
const timeoutMs = 10_000;

/**
 * What an agent's program was started with: a run's own token (`REMIT_MCP_URL` with `REMIT_TOKEN_FILE` or `REMIT_TOKEN`), else a
 * file of credentials, as `remit agents secret new <agent> --json` prints them.
 * @throws RemitError `invalid-request` | `invalid-configuration`
 */
export async function agentAccess(around: Pick<Surroundings, "env" | "cwd">, named: string | undefined): Promise<AgentAccess> {
  const { REMIT_MCP_URL: mcpUrl, REMIT_TOKEN_FILE: tokenFile, REMIT_TOKEN: token, REMIT_CREDENTIALS: usual } = around.env;
  if (named === undefined && mcpUrl !== undefined && (tokenFile ?? token) !== undefined) {
    return {
      mcpUrl,
      token: async () => (tokenFile === undefined ? (token ?? "") : (await readFile(tokenFile, "utf8")).trim()),
      forget: async () => undefined,
    };
  }
  const from = named ?? usual;
  if (from === undefined) {
    throw new RemitError(
      "invalid-request",
      "Say which agent this is: --credentials <file>, with what `remit agents secret new <agent> --json` printed.",
    );
  }
  const credentials = await readCredentials(from);
  const file = join(await configDir(around), "agent-tokens", createHash("sha256").update(JSON.stringify(credentials)).digest("hex"));
  return { mcpUrl: credentials.resource, token: () => keptToken(file, credentials), forget: () => rm(file, { force: true }) };
}

async function readCredentials(file: string): Promise<Credentials> {
  let text: string;
  try {
    if (((await stat(file)).mode & 0o077) !== 0)
      throw new RemitError("invalid-configuration", `${file} holds a secret and can be read by others: chmod 600 it.`);
    text = await readFile(file, "utf8");
  } catch (error) {
    if (RemitError.is(error)) throw error;
    throw new RemitError("invalid-configuration", `${file} cannot be read.`, { cause: error });
  }
  const parsed = credentialsSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw new RemitError("invalid-configuration", `${file} is not what \`remit agents secret new <agent> --json\` prints.`);
  return parsed.data;
}

/** A hook is a new process for every call: without this each would ask for a token of its own. */
async function keptToken(file: string, credentials: Credentials): Promise<string> {
  const kept = keptSchema.safeParse(parseJson(await readFile(file, "utf8").catch(() => "")));
  if (kept.success && kept.data.endsAt - marginMs > Date.now()) return kept.data.token;
  const { access_token: token, expires_in: seconds } = await fetchToken(credentials);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.${process.pid}`;
  await writeFile(fresh, JSON.stringify({ token, endsAt: Date.now() + seconds * 1_000 }), { mode: 0o600 });
  await rename(fresh, file);
  return token;
}

async function fetchToken({ clientId, clientSecret, tokenEndpoint, resource }: Credentials): Promise<z.infer<typeof tokenSchema>> {
  let response: Response;
  try {
    response = await fetch(tokenEndpoint, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString("base64")}`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams({ grant_type: "client_credentials", resource }),
      signal: AbortSignal.timeout(timeoutMs),
      // The secret must not follow a redirect to somewhere else.
      redirect: "error",
    });
  } catch (error) {
    throw new RemitError("server-unavailable", `No server answers at ${new URL(tokenEndpoint).origin}.`, { cause: error });
  }
  const parsed = tokenSchema.safeParse(parseJson(await response.text()));
  if (response.ok && parsed.success) return parsed.data;
  if (response.status >= 500) throw new RemitError("server-unavailable", `The server answered ${response.status}.`);
  throw new RemitError("unauthenticated", "The agent's credentials are not accepted: they have been retired, or the agent is suspended.");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
