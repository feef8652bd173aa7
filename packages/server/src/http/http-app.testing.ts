import { pino } from "pino";
import type { Doorkeeper } from "./doorkeeper.ts";
import { createHttpApp } from "./http-app.ts";
import type { App, HttpAppOptions } from "./http-app.ts";

/** An app for tests of routes, whose log is kept. `app.inject` needs the header `host: localhost`, which it sends by itself. */
export async function createTestApp(options: Partial<HttpAppOptions> & { doorkeeper: Doorkeeper }): Promise<App & { logged: string[] }> {
  const logged: string[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => void logged.push(line) });
  const app = await createHttpApp({ logger, publicUrl: new URL("http://localhost:4680"), ...options });
  return Object.assign(app, { logged });
}

/** A doorkeeper that knows the people it is told of, by their session token. */
export function testDoorkeeper(people: Record<string, Awaited<ReturnType<Doorkeeper["person"]>>> = {}): Doorkeeper & {
  refusals: Parameters<Doorkeeper["refused"]>[0][];
} {
  const refusals: Parameters<Doorkeeper["refused"]>[0][] = [];
  return {
    refusals,
    person: async (token) => people[token] ?? null,
    isMachine: (key) => key === "machine-key",
    csrfToken: (token) => `csrf-of-${token}`,
    isCsrfToken: (token, csrf) => csrf === `csrf-of-${token}`,
    refused: (refusal) => void refusals.push(refusal),
  };
}
