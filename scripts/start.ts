import { parseArgs } from "node:util";
import { processSurroundings, tellFailure } from "@remit/cli";
import { startAll } from "./start/start-all.ts";

const help = `npm start: everything on this machine, with the example of Northwind's support

  npm start                     start, triage the queue, show what came of it, serve until Ctrl-C
  npm start -- --json           one JSON document a line for each thing that happens; "ready" ends the triage
  npm start -- --once           end after that instead of serving; exits 1 if a run failed or the ledger does not verify
  npm start -- --port 7447      listen there; 0 takes a free port
  npm start -- --data-dir .remit`;

const around = processSurroundings();
const options = readOptions();
if (options !== null) {
  try {
    process.exitCode = await startAll(around, options);
  } catch (error) {
    process.exitCode = tellFailure(error, around, options.json);
  }
  // Whatever is still open must not hold up the end; what is written is flushed before.
  setTimeout(() => process.exit(), 1_000).unref();
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: "boolean", default: false },
        once: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        port: { type: "string", default: "7447" },
        "data-dir": { type: "string" },
      },
    });
    if (values.help) {
      console.log(help);
      return null;
    }
    const { json, once, port } = values;
    if (!/^\d{1,5}$/.test(port)) throw new Error(`--port is a number, not "${port}"`);
    return { json, once, port: Number(port), dataDir: values["data-dir"] ?? null };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    process.exitCode = 2;
    return null;
  }
}
