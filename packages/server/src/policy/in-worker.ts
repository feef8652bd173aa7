import { Worker } from "node:worker_threads";

/**
 * Runs a `.worker` file of this folder in a thread that is thrown away, and returns the one message that it sends.
 * What traps, runs for long or fills memory there ends there, as a rejection.
 */
export async function inWorker<Result>(name: string, workerData: unknown, timeoutMs: number): Promise<Result> {
  // The extension of this very file: sources run as they are in development and as .js once built.
  const file = new URL(`./${name}.worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
  const worker = new Worker(file, { workerData, execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: 512 } });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Result>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`it took longer than ${timeoutMs / 1000} s`)), timeoutMs);
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`it ended without a result (exit ${code})`)));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
