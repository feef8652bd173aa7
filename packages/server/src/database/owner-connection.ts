import { resolve } from "node:path";
import { owner } from "./cluster.ts";
import { readClusterHome } from "./cluster-home.ts";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { isPostmaster, readPostmaster } from "./postmaster.ts";

/** The way to a database for whoever owns it, beside the servers that may be running on it. */
export type OwnerConnection = { url: string; applicationPassword?: string; close(): Promise<void> };

/** The given database; else the one in the data folder, which is started for this where nobody else runs it. */
export async function openOwnerConnection(options: { dataFolder: string; url?: string; ownerUrl?: string }): Promise<OwnerConnection> {
  const given = options.ownerUrl ?? options.url;
  if (given !== undefined) return { url: given, close: async () => {} };
  const dataFolder = resolve(options.dataFolder);
  const home = await readClusterHome(dataFolder);
  const postmaster = home === null ? null : await readPostmaster(home.cluster);
  if (home !== null && postmaster !== null && (await isPostmaster(postmaster.pid, home.cluster))) {
    const { ownerPassword, applicationPassword } = home.record;
    return {
      url: `postgres://${owner}:${ownerPassword}@127.0.0.1:${postmaster.port}/${owner}`,
      applicationPassword,
      close: async () => {},
    };
  }
  const started = await startEmbeddedPostgres({ dataFolder });
  return { url: started.ownerUrl, applicationPassword: started.applicationPassword, close: () => started.stop() };
}
