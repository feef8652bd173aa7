import { runVerifier } from "./command-line.ts";

process.stdout.on("error", () => {});
process.exitCode = await runVerifier(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
});
