import { setTimeout as delay } from "node:timers/promises";
import type { Id, JsonObject } from "@remit/contract";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { ServerRequest } from "../upstream/connection.ts";
import type { UpstreamTask } from "../upstream/upstreams.ts";
import type { InFlight } from "./in-flight.ts";
import type { UpstreamTaskStore } from "./upstream-tasks.store.ts";

/** How an upstream's task stands, as far as this server knows. */
export type TaskView = {
  statusMessage: string | null;
  /** What the upstream asks of the client, by names of our own. */
  questions: Readonly<Record<string, ServerRequest>>;
};

/** Actions at which upstreams work by themselves: how they stand, what they ask of their clients, and an end to them. */
export type UpstreamTasks = {
  /** Told when a task begins, and whenever the upstream says something new of it. Resolves once other servers can know of it. */
  says(actionId: Id<"action">, task: UpstreamTask): Promise<void>;
  /** The action has ended. */
  end(actionId: Id<"action">): Promise<void>;
  /** Null: no task of this action is followed by this server. */
  look(actionId: Id<"action">): TaskView | null;
  /** Puts a question to whoever follows the task, and waits. @throws RpcError */
  ask(actionId: Id<"action">, question: ServerRequest, signal: AbortSignal): Promise<JsonObject>;
  /** Answers that came; what was not asked, or is answered already, is nothing. */
  answer(actionId: Id<"action">, responses: JsonObject): void;
  /** Stops it, on whichever server follows it. False: no upstream works at it. */
  cancel(actionId: Id<"action">, by: string): Promise<boolean>;
  /** What upstreams do by themselves, on whichever server follows it. */
  all(): Promise<ReadonlyMap<Id<"action">, { upstream: string; id: string }>>;
  /** The server that followed it was lost; nobody follows it any more. */
  forget(actionId: Id<"action">): Promise<void>;
  stop(): void;
};

export type UpstreamTasksDeps = {
  store: UpstreamTaskStore;
  inFlight: Pick<InFlight, "cancelAction">;
  now: () => Date;
  onError: (error: unknown) => void;
  /** How often other servers are listened to, while something is followed. */
  pollMs?: number;
};

type Question = { request: ServerRequest; done: (answer: JsonObject | RpcError) => void };
type Followed = { statusMessage: string | null; questions: Map<string, Question>; asked: number; known: Promise<void> };

const maxQuestions = 64;

export function createUpstreamTasks(deps: UpstreamTasksDeps): UpstreamTasks {
  const followed = new Map<Id<"action">, Followed>();
  const stopping = new AbortController();
  let watching = false;

  /** What is asked of other servers is in the database; it is looked for only while something is followed. */
  async function watch(): Promise<void> {
    if (watching) return;
    watching = true;
    try {
      while (followed.size > 0 && !stopping.signal.aborted) {
        try {
          for (const { actionId, by } of await deps.store.cancelled([...followed.keys()])) deps.inFlight.cancelAction(actionId, why(by));
        } catch (error) {
          deps.onError(error);
        }
        await delay(deps.pollMs ?? 500, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      }
    } finally {
      watching = false;
    }
  }

  return {
    async says(actionId, { upstream, id, statusMessage }) {
      const known = followed.get(actionId);
      if (known !== undefined) {
        known.statusMessage = statusMessage;
        return await known.known;
      }
      const added = deps.store.add({ actionId, upstream, task: id, at: deps.now() }).catch(deps.onError);
      followed.set(actionId, { statusMessage, questions: new Map(), asked: 0, known: added });
      await added;
      void watch();
    },
    async end(actionId) {
      const one = followed.get(actionId);
      if (one === undefined) return;
      followed.delete(actionId);
      for (const { done } of one.questions.values()) done(nobodyWaits());
      await one.known;
      await deps.store.remove(actionId).catch(deps.onError);
    },
    look(actionId) {
      const one = followed.get(actionId);
      if (one === undefined) return null;
      return {
        statusMessage: one.statusMessage,
        questions: Object.fromEntries([...one.questions].map(([key, { request }]) => [key, request])),
      };
    },
    ask(actionId, request, signal) {
      const one = followed.get(actionId);
      if (one === undefined || signal.aborted) throw nobodyWaits();
      if (one.questions.size >= maxQuestions) throw new RpcError(rpcCodes.internalError, "The task has too many questions already");
      one.asked += 1;
      const key = `${request.method.split("/")[0]}-${one.asked}`;
      return new Promise((resolve, reject) => {
        const done = (answer: JsonObject | RpcError): void => {
          one.questions.delete(key);
          signal.removeEventListener("abort", aborted);
          if (answer instanceof RpcError) reject(answer);
          else resolve(answer);
        };
        const aborted = (): void => done(nobodyWaits());
        signal.addEventListener("abort", aborted, { once: true });
        one.questions.set(key, { request, done });
      });
    },
    answer(actionId, responses) {
      const one = followed.get(actionId);
      for (const [key, { done }] of one?.questions ?? []) {
        const answer = Object.hasOwn(responses, key) ? responses[key] : undefined;
        if (typeof answer === "object" && answer !== null && !Array.isArray(answer)) done(answer);
      }
    },
    async cancel(actionId, by) {
      if (followed.has(actionId)) return deps.inFlight.cancelAction(actionId, why(by));
      return await deps.store.cancel(actionId, by);
    },
    all: async () => new Map((await deps.store.all()).map(({ actionId, upstream, task }) => [actionId, { upstream, id: task }])),
    forget: (actionId) => deps.store.remove(actionId),
    stop: () => stopping.abort(),
  };
}

function why(by: string): string {
  return `Cancelled by ${by}.`;
}

function nobodyWaits(): RpcError {
  return new RpcError(rpcCodes.internalError, "Nobody waits for the answer any more");
}
