import { openWitness } from "./witness-folder.ts";
import { serveWitness } from "./witness-server.ts";

/** A witness in a process of its own, to be killed. Says its address. */
const server = await serveWitness(await openWitness(process.argv[2] ?? ""), { host: "127.0.0.1", port: 0 });
process.stdout.write(`${server.url}\n`);
