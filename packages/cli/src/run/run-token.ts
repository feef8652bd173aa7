import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errorTable, runTokenSchema } from "@remit/contract";
import type { RemitError, RunToken } from "@remit/contract";
import type { HttpClient } from "../client/http-client.ts";
import { path } from "../client/http-client.ts";
import { asRemitError } from "../terminal/failure.ts";

const retryMs = 2_000;

/** A run's token in a file that only its owner reads, kept fresh; renewing also keeps the run's work claimed. */
export type RunTokenFile = { file: string; remove(): Promise<void> };

export async function keepRunToken(options: {
  client: HttpClient;
  runId: string;
  first: RunToken;
  signal: AbortSignal;
  /** The server will not renew it, or could not be reached until it ended. */
  onLost: (error: RemitError) => void;
}): Promise<RunTokenFile> {
  const folder = await mkdtemp(join(tmpdir(), "remit-run-"));
  const file = join(folder, "token");
  await replace(file, options.first.token);
  void renew(options, file);
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}

async function renew(options: Parameters<typeof keepRunToken>[0], file: string): Promise<void> {
  const { client, runId, signal, onLost } = options;
  let current = options.first;
  let wait = renewIn(current);
  while (await waited(wait, signal)) {
    try {
      current = await client.send({
        method: "POST",
        path: path`/v1/runs/${runId}/token`,
        body: {},
        response: runTokenSchema,
        timeoutMs: 10_000,
        signal,
      });
      await replace(file, current.token);
      wait = renewIn(current);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asRemitError(thrown);
      const transient = errorTable[error.code].exit === 3;
      if (!transient || Date.parse(current.tokenExpiresAt) <= Date.now()) return onLost(error);
      wait = retryMs;
    }
  }
}

/** Half-way to its end: a failed renewal can then be tried again many times. */
function renewIn(token: RunToken): number {
  const left = Date.parse(token.tokenExpiresAt) - Date.now();
  return Math.min(Math.max(left / 2, 250), 120_000);
}

async function waited(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(milliseconds, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

/** A reader never sees half a token. */
async function replace(file: string, token: string): Promise<void> {
  await writeFile(`${file}.new`, token, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
