import type { EntryType, Id, JsonObject } from "@remit/contract";
import type { Ledger } from "../ledger/ledger.ts";
import type { Logger } from "../log/logger.ts";
import { unknownActor } from "../http/doorkeeper.ts";
import { newId } from "../id/new-id.ts";

export type Refusal = {
  type: Extract<EntryType, "token-refused" | "link-refused" | "access-refused" | "item-refused">;
  /** `agent:<name>` or `party:<name>` where that much is proven, else {@link unknownActor}. */
  actor: string;
  code: string;
  reason: string;
  /** Bounded facts only: nothing of unlimited size that a caller has chosen, and no secrets. */
  data?: JsonObject;
  runId?: Id<"run">;
};

/**
 * Records that somebody was turned away, without letting whoever is turned away write the ledger full: the first few of a kind in a
 * window are entries of their own, the rest is counted and becomes one entry with the number.
 */
export type RefusalRecorder = {
  /** Resolves when what is recorded at once is durable. Never throws: a refusal stands whether or not it could be recorded. */
  note(refusal: Refusal): Promise<void>;
  /** Records what was only counted so far, and waits for all that is being recorded. Runs by itself at the end of every window. */
  flush(): Promise<void>;
  stop(): Promise<void>;
};

export function createRefusalRecorder(options: {
  ledger: Pick<Ledger, "record">;
  logger: Logger;
  now: () => Date;
  windowMs?: number;
  /** Entries of their own per kind and window. */
  perKind?: number;
  /** Entries of their own per window, all kinds together; also how many kinds are told apart. */
  perWindow?: number;
}): RefusalRecorder {
  const { windowMs = 60_000, perKind = 5, perWindow = 200 } = options;
  let kinds = new Map<string, { refusal: Refusal; seen: number; counted: number; from: Date; to: Date }>();
  let recorded = 0;
  const timer = setInterval(() => void flush(), windowMs).unref();
  const writing = new Set<Promise<void>>();

  function write(refusal: Refusal, data: JsonObject): Promise<void> {
    const written = record(refusal, data).finally(() => writing.delete(written));
    writing.add(written);
    return written;
  }

  async function record(refusal: Refusal, data: JsonObject): Promise<void> {
    const at = options.now();
    try {
      await options.ledger.record({
        id: newId("entry", at.getTime()),
        type: refusal.type,
        at: at.toISOString(),
        actor: refusal.actor,
        ...(refusal.runId === undefined ? {} : { runId: refusal.runId }),
        data: { code: refusal.code, reason: refusal.reason, ...data },
      });
    } catch (error) {
      options.logger.error(
        { err: error, refusal: { type: refusal.type, actor: refusal.actor, code: refusal.code } },
        "refusal not recorded",
      );
    }
  }

  async function note(refusal: Refusal): Promise<void> {
    const at = options.now();
    const key = JSON.stringify([refusal.type, refusal.actor, refusal.code, refusal.reason]);
    const overflow = JSON.stringify([refusal.type]);
    const known = kinds.get(key) ?? (kinds.size >= perWindow ? kinds.get(overflow) : undefined);
    const kind = known ?? { refusal, seen: 0, counted: 0, from: at, to: at };
    if (known === undefined) {
      const folded = kinds.size >= perWindow;
      if (folded) kind.refusal = { type: refusal.type, actor: unknownActor, code: "unauthenticated", reason: "refusals of many kinds" };
      kinds.set(folded ? overflow : key, kind);
    }
    kind.seen += 1;
    kind.to = at;
    if (kind.seen <= perKind && recorded < perWindow) {
      recorded += 1;
      await write(refusal, refusal.data ?? {});
    } else {
      kind.counted += 1;
    }
  }

  async function flush(): Promise<void> {
    const ended = kinds;
    kinds = new Map();
    recorded = 0;
    for (const { refusal, counted, from, to } of ended.values()) {
      if (counted > 0) await write(refusal, { count: counted, from: from.toISOString(), to: to.toISOString() });
    }
    await Promise.all(writing);
  }

  return {
    note,
    flush,
    async stop() {
      clearInterval(timer);
      await flush();
    },
  };
}
