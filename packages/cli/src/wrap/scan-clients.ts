import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { isRemit } from "./client-config.ts";
import { clientNames, configPlaces } from "./known-clients.ts";
import type { ClientName } from "./known-clients.ts";
import { decodeConfig, readClientConfig } from "./read-client-config.ts";

/** Lists the MCP servers of all configurations here. @returns 1 where one of them does not go through Remit */
export async function scanClients(frame: Frame): Promise<number> {
  const found: { client: string; file: string; server: string; governed: boolean; why: string }[] = [];
  for (const client of clientNames) {
    for (const file of placesOf(frame, client)) {
      if (!existsSync(file)) continue;
      try {
        for (const server of readClientConfig(file, decodeConfig(await readFile(file))).servers) {
          const { transport } = server;
          const why =
            transport.type === "stdio"
              ? [transport.command, ...transport.args].join(" ")
              : transport.type === "http"
                ? new URL(transport.url).origin
                : transport.why;
          // Arguments may hold secrets, so that only the program is said of what is not Remit's.
          found.push({
            client,
            file,
            server: server.name,
            governed: isRemit(server),
            why: transport.type === "stdio" && !isRemit(server) ? transport.command : why,
          });
        }
      } catch (error) {
        found.push({ client, file, server: "?", governed: false, why: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  frame.terminal.answer({ items: found, next: null }, () =>
    found.length === 0
      ? ["No configuration of a known client is here."]
      : table(
          found,
          [
            { title: "CLIENT", value: (row) => row.client },
            { title: "SERVER", value: (row) => safeLine(row.server) },
            { title: "THROUGH REMIT", value: (row) => (row.governed ? "yes" : "no") },
            { title: "WHAT IT IS", value: (row) => safeLine(row.why), cut: true },
            { title: "FILE", value: (row) => row.file },
          ],
          frame.terminal.columns,
        ),
  );
  return found.every(({ governed }) => governed) ? 0 : 1;
}

/** Where a client may have its configuration here. */
export function placesOf({ around }: Frame, client: ClientName): string[] {
  return [...new Set(configPlaces(client, { cwd: around.cwd, env: around.env, platform: process.platform }))];
}
