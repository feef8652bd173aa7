/**
 * Remit on a data folder of its own, with the PostgreSQL that it brings: `node remit-server.ts <data folder>`.
 * Says on stdout where it is, and ends cleanly on SIGTERM. With a further word `replaced`, it is composed of parts that leave out
 * stages. SIGUSR2 (with --expose-gc): collects garbage and says what memory is left.
 */
import { startServer } from "@remit/server";

const [, , dataDir, composition] = process.argv;
if (dataDir === undefined) throw new Error("usage: remit-server.ts <data folder> [replaced]");
const options = { dataDir, host: "127.0.0.1", port: 0, logLevel: composition === undefined ? "warn" : "error" };
const say = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

const server = composition === undefined ? await startServer(options) : await startReplaced();
say({ url: server.url, machineKeyFile: server.machineKeyFile });
process.once("SIGTERM", () => void server.stop().then(() => process.exit(0)));
process.on("SIGUSR2", () => {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  say({ rss, heapUsed, external });
});

async function startReplaced(): ReturnType<typeof startServer> {
  const { startComposed } = await import("@remit/server/testing");
  const { replacedParts } = await import("./replaced-parts.ts");
  return startComposed(options, replacedParts());
}
