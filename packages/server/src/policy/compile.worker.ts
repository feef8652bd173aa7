import { parentPort } from "node:worker_threads";
import { loadCedar } from "./cedar-module.ts";
import { compile } from "./compile.ts";
import type { CompileRequest } from "./compiled-policy.ts";

// An instance of Cedar for each: what one is given may corrupt it for the next.
parentPort?.on("message", (request: CompileRequest) => parentPort?.postMessage(compile(loadCedar(), request), []));
