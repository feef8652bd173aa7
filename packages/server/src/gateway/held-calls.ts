import { randomUUID } from "node:crypto";
import type { ActionOutcome, InputRequired, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { ServerRequest } from "../upstream/connection.ts";
import { isObject } from "./rpc-message.ts";

/**
 * Calls that wait for their client between two of its requests: an upstream asked by the handshake's revisions, in mid-call, and the
 * client is one that is asked by results and answers by retrying. The call goes on where it stood.
 */
export type HeldCalls = {
  /** @param run carries the call out; what it asks goes by `ask` */
  begin(principal: string, run: (ask: Ask, signal: AbortSignal) => Promise<ActionOutcome>, signal: AbortSignal): Promise<Step>;
  /** Goes on with answers. Null: there is no such call, or the retry is not of its last round. */
  resume(state: HeldState, principal: string, responses: JsonObject, signal: AbortSignal): Promise<Step> | null;
  close(): void;
};

export type Ask = (request: ServerRequest, signal: AbortSignal) => Promise<JsonObject>;
/** What a retry names. */
export type HeldState = { call: string; round: number };
export type Step = { type: "ended"; outcome: ActionOutcome } | { type: "asks"; input: InputRequired; state: HeldState };

type Question = { request: ServerRequest; answer(answer: JsonObject | RpcError): void };
type Held = {
  id: string;
  principal: string;
  round: number;
  questions: Map<string, Question>;
  asked: (() => void) | null;
  cancelling: AbortController;
  outcome: Promise<ActionOutcome>;
  waiting: NodeJS.Timeout | undefined;
};

export const heldForMs = 10 * 60_000;
const maxHeld = 1_000;
const maxPerPrincipal = 32;

export function createHeldCalls(): HeldCalls {
  const calls = new Map<string, Held>();

  /** Until the call ends or asks, or its client goes. */
  async function step(held: Held, signal: AbortSignal): Promise<Step> {
    clearTimeout(held.waiting);
    const cancel = (): void => held.cancelling.abort(signal.reason);
    if (signal.aborted) cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      const asked = new Promise<null>((resolve) => {
        held.asked = () => resolve(null);
      });
      const outcome = held.questions.size > 0 ? null : await Promise.race([held.outcome, asked]);
      if (outcome !== null) {
        calls.delete(held.id);
        return { type: "ended", outcome };
      }
      // What is asked in one breath is asked at once.
      await new Promise((resolve) => setImmediate(resolve));
      held.round += 1;
      held.waiting = setTimeout(() => held.cancelling.abort(new Error("its client did not come back")), heldForMs);
      held.waiting.unref();
      const inputRequests = Object.fromEntries([...held.questions].map(([key, { request }]) => [key, { ...request }]));
      return { type: "asks", input: { inputRequests }, state: { call: held.id, round: held.round } };
    } finally {
      held.asked = null;
      signal.removeEventListener("abort", cancel);
    }
  }

  function questionOf(held: Held): Ask {
    let count = 0;
    return async (request, signal) =>
      await new Promise((resolve, reject) => {
        count += 1;
        const key = `${request.method.split("/")[0]}-${count}`;
        const gone = (): void => answer(new RpcError(rpcCodes.internalError, "Nobody waits for the answer any more"));
        const answer = (given: JsonObject | RpcError): void => {
          held.questions.delete(key);
          signal.removeEventListener("abort", gone);
          if (given instanceof RpcError) reject(given);
          else resolve(given);
        };
        if (signal.aborted) return gone();
        signal.addEventListener("abort", gone, { once: true });
        held.questions.set(key, { request, answer });
        held.asked?.();
      });
  }

  return {
    begin(principal, run, signal) {
      const own = [...calls.values()].filter((held) => held.principal === principal).length;
      if (calls.size >= maxHeld || own >= maxPerPrincipal) {
        throw new RemitError("rate-exceeded", "Too many calls that may ask are under way; try again when some of them have ended");
      }
      const cancelling = new AbortController();
      const questions = new Map<string, Question>();
      const held: Held = {
        id: randomUUID(),
        principal,
        round: 0,
        questions,
        asked: null,
        cancelling,
        outcome: Promise.resolve() as never,
        waiting: undefined,
      };
      held.outcome = run(questionOf(held), cancelling.signal);
      // Nobody may be there to hear how it ends; its entry says it.
      held.outcome.catch(() => undefined).finally(() => setTimeout(() => calls.delete(held.id), heldForMs).unref());
      calls.set(held.id, held);
      return step(held, signal);
    },
    resume(state, principal, responses, signal) {
      const held = calls.get(state.call);
      if (held === undefined || held.principal !== principal || held.round !== state.round) return null;
      for (const [key, question] of held.questions) {
        const answer = Object.hasOwn(responses, key) ? responses[key] : undefined;
        // What is not answered is asked again.
        if (isObject(answer)) question.answer(answer);
      }
      return step(held, signal);
    },
    close() {
      for (const held of calls.values()) held.cancelling.abort(new Error("the server is stopping"));
      calls.clear();
    },
  };
}
