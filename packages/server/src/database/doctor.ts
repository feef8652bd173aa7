import { resolve } from "node:path";
import { Client } from "pg";
import { owner } from "./cluster.ts";
import { readClusterHome } from "./cluster-home.ts";
import { unreachable } from "./database.postgres.ts";
import { examineDatabase } from "./examine-database.ts";
import { examineDataFolder } from "./examine-data-folder.ts";
import type { Finding } from "./finding.ts";
import { failed } from "./finding.ts";
import { isPostmaster, readPostmaster } from "./postmaster.ts";

export type DoctorOptions = {
  dataFolder: string;
  /** DATABASE_URL, where there is one. */
  url?: string;
  ownerUrl?: string;
  environment?: NodeJS.ProcessEnv;
};

/** Looks at everything that the database needs and says what is wrong and how to mend it. Starts nothing and changes nothing. */
export async function examine(options: DoctorOptions): Promise<Finding[]> {
  const dataFolder = resolve(options.dataFolder);
  if (options.url !== undefined) return examineAt(options.ownerUrl ?? options.url, dataFolder);
  const findings = await examineDataFolder(dataFolder, options.environment ?? process.env);
  const running = await runningUrl(dataFolder);
  return running === null ? findings : [...findings, ...(await examineAt(running, dataFolder))];
}

async function examineAt(url: string, dataFolder: string): Promise<Finding[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000, application_name: "remit doctor" });
  client.on("error", () => {});
  try {
    await client.connect();
  } catch (error) {
    const fix = "Start the database, or correct DATABASE_URL (host, port, name, login); the server's log says more.";
    return [failed("connection", unreachable(error), fix)];
  }
  try {
    return await examineDatabase(client, dataFolder);
  } finally {
    await client.end();
  }
}

/** The owner's way to the PostgreSQL of this data folder, if it is running. */
async function runningUrl(dataFolder: string): Promise<string | null> {
  const home = await readClusterHome(dataFolder).catch(() => null);
  const postmaster = home && (await readPostmaster(home.cluster));
  if (!home || !postmaster || !(await isPostmaster(postmaster.pid, home.cluster))) return null;
  return `postgres://${owner}:${home.record.ownerPassword}@127.0.0.1:${postmaster.port}/${owner}`;
}
