import { type Id, RemitError } from "@remit/contract";
import type { ActionDeps } from "./action-deps.ts";
import type { PathAttempt, Walked } from "./action.pipeline.ts";
import { actionTraceparent, endAttempt, traceApprovalWait, traceAttempt } from "./action-trace.ts";

type Walk = (question: PathAttempt, signal: AbortSignal, traceparent: string | null) => Promise<Walked | "gone">;
type Granted = Awaited<ReturnType<ActionDeps["approvals"]["granted"]>>[number];

const startedAtOnce = 16;
const runningAtOnce = 64;

/** Executes what people have granted: re-decided now, each once. One that is slow or cannot be begun holds up no other. */
export function createGrantedActions(deps: ActionDeps, walk: Walk): () => Promise<number> {
  const running = new Set<Id<"approval">>();

  async function executeOne({ approvalId, actionId, digest, teams }: Granted): Promise<number> {
    const row = await deps.journal.read(actionId);
    if (row === null || row.state !== "waiting") return 0;
    const [input, continuation] = await Promise.all([
      payloadOf(deps, row.argumentsEntry, "arguments"),
      payloadOf(deps, row.argumentsEntry, "continuation"),
    ]);
    const question: PathAttempt = {
      actionId,
      caller: row.caller,
      tool: row.tool,
      arguments: input ?? {},
      idempotencyKey: row.idempotencyKey,
      traceId: row.traceId,
      grant: { approvalId, digest, teams },
      // What was asked for with answers and is granted without them would be something else: the digest says so.
      continuation,
      refusal:
        input === null ? { code: "not-found", reason: "Its arguments have been erased or changed since; nothing can be executed." } : null,
    };
    const span = traceAttempt(deps, row, { parent: actionTraceparent(row), approvalId });
    const at = deps.now();
    const release = deps.inFlight.hold(actionId);
    const walked = await walk(question, new AbortController().signal, span.traceparent).finally(release);
    // Another server had it: the span is its to send.
    if (walked === "gone") return 0;
    traceApprovalWait(deps, row, { outcome: "granted", at });
    endAttempt(deps, span, walked.end, walked.outcome);
    return 1;
  }

  return async () => {
    const room = Math.min(startedAtOnce, runningAtOnce - running.size);
    if (room <= 0 || deps.inFlight.closing.aborted) return 0;
    const granted = await deps.approvals.granted(room + running.size);
    const done = await Promise.all(
      granted.map(async (one) => {
        if (running.has(one.approvalId)) return 0;
        running.add(one.approvalId);
        try {
          return await executeOne(one);
        } catch (error) {
          // The grant is still there to be used, or has been; the next look finds out.
          deps.logger.error({ err: error, actionId: one.actionId }, "a granted action could not be executed; trying again");
          return 0;
        } finally {
          running.delete(one.approvalId);
        }
      }),
    );
    return done.reduce<number>((sum, one) => sum + one, 0);
  };
}

/** Null where they have been erased, or are not what was sealed. */
async function payloadOf(
  deps: ActionDeps,
  entry: Id<"entry">,
  name: "arguments" | "continuation",
): ReturnType<ActionDeps["payloads"]["open"]> {
  try {
    return await deps.payloads.open(entry, name);
  } catch (error) {
    if (RemitError.is(error) && error.code !== "database-unavailable") return null;
    throw error;
  }
}
