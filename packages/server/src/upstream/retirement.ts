import { RemitError } from "@remit/contract";

/** Ends a program whose credentials have ended: they were given to it at its start, and it cannot be given others. */
export type Retirement = {
  /** Counts a request as under way until it has ended. */
  during<Result>(request: Promise<Result>): Promise<Result>;
  /** It has ended. */
  done(): void;
};

/** What is under way may go on for so long. */
const graceMs = 30_000;

/** @param ended of the lease. Taken back (`halted`): it ends at once. Otherwise: when nothing is under way. */
export function createRetirement(ended: AbortSignal | undefined, stop: () => Promise<void>): Retirement {
  if (ended === undefined) return lasting;
  let running = 0;
  let retiring = false;
  let timer: NodeJS.Timeout | undefined;

  const retire = (): void => {
    retiring = true;
    const reason: unknown = ended.reason;
    if (running === 0 || (RemitError.is(reason) && reason.code === "halted")) void stop();
    else timer = setTimeout(() => void stop(), graceMs);
  };
  function left(): void {
    running -= 1;
    if (retiring && running === 0) void stop();
  }

  if (ended.aborted) retire();
  else ended.addEventListener("abort", retire, { once: true });

  return {
    during(request) {
      running += 1;
      request.then(left, left);
      return request;
    },
    done() {
      clearTimeout(timer);
      ended.removeEventListener("abort", retire);
    },
  };
}

/** Of a program that was given nothing that ends. */
const lasting: Retirement = { during: (request) => request, done: () => undefined };
