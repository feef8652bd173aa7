import { Worker } from "node:worker_threads";

/** A thread costs more than most of what is asked of it: one that answered is kept for the next, for so long and so many. */
const keptMs = 10_000;
const maxAnswers = 50;

type Kept = { worker: Worker; answers: number; timer: NodeJS.Timeout };
const kept = new Map<string, Kept[]>();

/**
 * Has a `.worker` file of this folder answer in a thread of its own, which serves one at a time: a message in, a message out.
 * What traps, runs for long or fills memory there ends there, as a rejection, and its thread with it.
 */
export async function inWorker<Result>(name: string, request: unknown, timeoutMs: number): Promise<Result> {
  const { worker, answers } = take(name);
  let timer: NodeJS.Timeout | undefined;
  try {
    const result = await new Promise<Result>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`it took longer than ${timeoutMs / 1000} s`)), timeoutMs);
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`it ended without a result (exit ${code})`)));
      worker.postMessage(request, []);
    });
    keep(name, worker, answers + 1);
    return result;
  } catch (error) {
    await worker.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function take(name: string): { worker: Worker; answers: number } {
  const waiting = kept.get(name)?.pop();
  if (waiting !== undefined) {
    clearTimeout(waiting.timer);
    waiting.worker.removeAllListeners("error").removeAllListeners("exit").ref();
    return waiting;
  }
  // The extension of this very file: sources run as they are in development and as .js once built.
  const file = new URL(`./${name}.worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
  return { worker: new Worker(file, { execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: 512 } }), answers: 0 };
}

function keep(name: string, worker: Worker, answers: number): void {
  worker.removeAllListeners("error").removeAllListeners("exit");
  const drop = () => {
    kept.set(
      name,
      (kept.get(name) ?? []).filter((other) => other.worker !== worker),
    );
    void worker.terminate();
  };
  if (answers >= maxAnswers) return drop();
  // It holds no process up, and one that ends by itself is not taken again.
  worker.unref();
  worker.once("error", drop);
  worker.once("exit", drop);
  kept.set(name, [...(kept.get(name) ?? []), { worker, answers, timer: setTimeout(drop, keptMs).unref() }]);
}
