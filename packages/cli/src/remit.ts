import { enableCompileCache } from "node:module";

enableCompileCache();
const { runCommandLine } = await import("./frame/program.ts");
const { processSurroundings } = await import("./frame/process-surroundings.ts");

process.exitCode = await runCommandLine(process.argv.slice(2), processSurroundings());
// Whatever is still open (an idle connection) must not hold a finished command; what is written is flushed before.
setTimeout(() => process.exit(), 1_000).unref();
