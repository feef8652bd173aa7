import { RemitError } from "@remit/contract";

/**
 * The time that a call has: its signal ends with the caller's, or with the time, which stands still while a person is asked.
 * A class: what it does is not made anew for every call.
 */
export class CallClock {
  readonly #upstream: string;
  readonly #caller: AbortSignal | null;
  readonly #ending = new AbortController();
  readonly #cancel = (): void => {
    const message = `the call to upstream "${this.#upstream}" was cancelled`;
    this.#ending.abort(new RemitError("cancelled", message, { cause: this.#caller?.reason }));
  };
  #limitMs: number;
  #late: string | null = null;
  #deadline: NodeJS.Timeout;
  #paused = 0;
  #isOver = false;

  constructor(upstream: string, limitMs: number, caller: AbortSignal | null) {
    this.#upstream = upstream;
    this.#caller = caller;
    this.#limitMs = limitMs;
    this.#deadline = setTimeout(lapse, limitMs, this);
    if (caller?.aborted === true) this.#cancel();
    // Without `once`, here and wherever a call listens: a signal is aborted once anyway, and options make listening three times as dear.
    else caller?.addEventListener("abort", this.#cancel);
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Lets it stand still, until it has been resumed as often. */
  pause(): void {
    this.#paused += 1;
    clearTimeout(this.#deadline);
  }

  resume(): void {
    this.#paused -= 1;
    this.#start();
  }

  async during<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    this.pause();
    try {
      return await ask();
    } finally {
      this.resume();
    }
  }

  /** From now on so long, instead of what was left. `late` says what is wrong once that has passed. */
  extend(limitMs: number, late: string): void {
    this.#limitMs = limitMs;
    this.#late = late;
    clearTimeout(this.#deadline);
    this.#start();
  }

  /** The time has passed. */
  lapse(): void {
    const late = this.#late ?? `did not answer within ${this.#limitMs} ms`;
    this.#ending.abort(new RemitError("upstream-timeout", `upstream "${this.#upstream}" ${late}`));
  }

  /** The call has ended. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#deadline);
    this.#caller?.removeEventListener("abort", this.#cancel);
  }

  #start(): void {
    if (this.#paused === 0 && !this.#isOver) this.#deadline = setTimeout(lapse, this.#limitMs, this);
  }
}

function lapse(clock: CallClock): void {
  clock.lapse();
}
