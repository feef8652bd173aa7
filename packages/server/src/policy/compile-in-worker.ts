import { Worker } from "node:worker_threads";
import type { CompileRequest, CompileResult } from "./compiled-policy.ts";

const maxTotalLength = 8 * 1024 * 1024;

/** Compiles in a thread that is thrown away: hostile or unlucky policy text can trap Cedar, run for long, or fill memory. */
export async function compileInWorker(request: CompileRequest, timeoutMs = 60_000): Promise<CompileResult> {
  const length = request.sets.reduce((sum, set) => sum + set.sources.reduce((inner, source) => inner + source.text.length, 0), 0);
  if (length > maxTotalLength) return failed(`The policy files hold more than ${maxTotalLength / 1024 / 1024} MiB together.`);
  // The extension of this very file: sources run as they are in development and as .js once built.
  const file = new URL(`./compile.worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
  const worker = new Worker(file, {
    workerData: request,
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  try {
    return await new Promise<CompileResult>((resolve) => {
      const timer = setTimeout(() => resolve(failed(`The policies took longer than ${timeoutMs / 1000} s to check.`)), timeoutMs);
      const settle = (result: CompileResult) => {
        clearTimeout(timer);
        resolve(result);
      };
      worker.once("message", settle);
      worker.once("error", (error) =>
        settle(failed(`Cedar could not take the policies: ${error instanceof Error ? error.message : String(error)}.`)),
      );
      worker.once("exit", (code) => settle(failed(`The check of the policies ended without a result (exit ${code}).`)));
    });
  } finally {
    await worker.terminate();
  }
}

function failed(message: string): CompileResult {
  return { sets: [], findings: [{ severity: "error", message }] };
}
