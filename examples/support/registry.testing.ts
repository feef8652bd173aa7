import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import type { JsonObject } from "@remit/contract";
import { assembleRegistry } from "@remit/core";
import type { Assembled, PinnedTool } from "@remit/core";
import { parseFiles } from "@remit/server/testing";
import pg from "pg";
import { createHelpdeskServer } from "./helpdesk/server.ts";

const root = import.meta.dirname;
const folders = ["agents", "environments", "parties", "policies", "prompts", "queues", "teams", "tools", "upstreams", "workflows"];

/** The example's files as `remit apply examples/support` sends them. */
export async function exampleFiles(): Promise<Record<string, string>> {
  const files: Record<string, string> = { "remit.yaml": await readFile(join(root, "remit.yaml"), "utf8") };
  for (const folder of folders) {
    for (const entry of await readdir(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      files[file.slice(root.length + 1)] = await readFile(file, "utf8");
    }
  }
  return files;
}

/** The example's files, read and put together with the tools that the helpdesk really offers. */
export async function assembleExample(): Promise<Assembled> {
  const parsed = parseFiles(await exampleFiles());
  if (parsed.type === "issues") return parsed;
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  return assembleRegistry(parsed.documents, {
    pins: await helpdeskPins(hash),
    before: null,
    hash,
    isTimeZone: (name) => name === "Europe/Berlin",
  });
}

async function helpdeskPins(hash: (text: string) => string): Promise<Map<string, PinnedTool>> {
  // Listing asks the database nothing.
  const server = createHelpdeskServer(new pg.Pool(), () => Promise.reject(new Error("no mail here")));
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  const client = new Client({ name: "test", version: "1" });
  await client.connect(near);
  const { tools } = await client.listTools();
  await client.close();
  return new Map(
    tools.map((tool) => {
      const {
        description = "",
        inputSchema,
        outputSchema,
      } = JSON.parse(JSON.stringify(tool)) as {
        description?: string;
        inputSchema: JsonObject;
        outputSchema?: JsonObject;
      };
      const pin = { description, inputSchema, outputSchema: outputSchema ?? null, digest: hash(JSON.stringify(tool)) };
      return [`helpdesk__${tool.name}`, { state: "accepted", pin }];
    }),
  );
}
