import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { Notices } from "./notices.ts";

const longestPauseMs = 2_000;

/**
 * Notices by LISTEN and NOTIFY, on a connection of their own. NOTIFY takes a lock that all commits of the cluster take one after the
 * other, so there is one at a time, whatever happens meanwhile, and never one within somebody's transaction.
 */
export function openNotices(options: {
  url: string;
  channel: string;
  /** Somebody has announced something, or may have: also called when the connection is there again. */
  onNotice: () => void;
  onError: (error: unknown) => void;
}): Notices {
  const stopping = new AbortController();
  let current: Client | null = null;
  let isDue = false;
  let announcing: Promise<void> | null = null;

  async function listen(): Promise<void> {
    const client = new Client({
      connectionString: options.url,
      application_name: "remit notices",
      connectionTimeoutMillis: 10_000,
      query_timeout: 10_000,
      keepAlive: true,
    });
    const lost = new Promise<void>((resolve) => {
      client.on("error", () => resolve());
      client.on("end", () => resolve());
    });
    client.on("notification", () => options.onNotice());
    try {
      await client.connect();
      await client.query(`LISTEN ${options.channel}`);
      current = client;
      options.onNotice();
      if (isDue) announce();
      await Promise.race([lost, aborted(stopping.signal)]);
    } finally {
      current = null;
      await client.end().catch(() => undefined);
    }
  }

  const running = (async () => {
    let pauseMs = 100;
    while (!stopping.signal.aborted) {
      const began = performance.now();
      try {
        await listen();
      } catch (error) {
        if (!stopping.signal.aborted) options.onError(error);
      }
      pauseMs = performance.now() - began > longestPauseMs ? 100 : Math.min(pauseMs * 2, longestPauseMs);
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();

  /** What was due and did not go out is said when the connection is there again; the others look by themselves. */
  async function sayAll(): Promise<void> {
    for (let client = current; isDue && client !== null; client = current) {
      isDue = false;
      try {
        await client.query(`NOTIFY ${options.channel}`);
      } catch {
        isDue = true;
        return;
      }
    }
  }

  function announce(): void {
    isDue = true;
    announcing ??= sayAll().finally(() => {
      announcing = null;
    });
  }

  return {
    announce,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
