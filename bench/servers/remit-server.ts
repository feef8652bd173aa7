/**
 * Remit on a data folder of its own, with the PostgreSQL that it brings: `node remit-server.ts <data folder>`.
 * Says on stdout where it is, and ends cleanly on SIGTERM.
 */
import { startServer } from "@remit/server";

const [, , dataDir] = process.argv;
if (dataDir === undefined) throw new Error("usage: remit-server.ts <data folder>");
const server = await startServer({ dataDir, host: "127.0.0.1", port: 0, logLevel: "warn" });
process.stdout.write(`${JSON.stringify({ url: server.url, machineKeyFile: server.machineKeyFile })}\n`);
process.once("SIGTERM", () => void server.stop().then(() => process.exit(0)));
