import { AsyncLocalStorage } from "node:async_hooks";
import { randomId } from "./untraced.ts";

/** The trace in which something is done right now. */
export type CurrentTrace = {
  /** 32 hexadecimal digits. Outside of any request: the trace of all that this server does by itself. */
  id(): string;
  /** Runs `work`, and all that follows from it, in this trace. */
  run<Result>(traceId: string, work: () => Result): Result;
};

export function createCurrentTrace(): CurrentTrace {
  const storage = new AsyncLocalStorage<string>();
  const own = randomId(16);
  return { id: () => storage.getStore() ?? own, run: (traceId, work) => storage.run(traceId, work) };
}
