import { parentPort, workerData } from "node:worker_threads";
import { compile } from "./compile.ts";
import type { CompileRequest } from "./compiled-policy.ts";
import { loadCedar } from "./cedar-module.ts";

parentPort?.postMessage(compile(loadCedar(), workerData as CompileRequest), []);
