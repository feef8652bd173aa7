import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MasterKey } from "../keys/master-key.ts";

/**
 * What a scraper shows. It opens `/metrics` and nothing else. Derived from the master key, so that all servers of one installation take the
 * same; written beside the machine key, for a scraper that reads credentials from a file.
 */
export async function openMetricsToken(masterKey: MasterKey, dataDir: string): Promise<string> {
  const token = `remit_metrics_${masterKey.derive("metrics-token").export().toString("base64url")}`;
  const file = join(dataDir, "metrics.token");
  await writeFile(file, token, { mode: 0o600 });
  await chmod(file, 0o600);
  return token;
}
