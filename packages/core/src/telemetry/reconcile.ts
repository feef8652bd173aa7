/** How one action ended, or that it began to wait, as one side tells it. */
export type ToldEnd = { actionId: string; traceId: string | null; end: string };

/** The ledger's entries that end an action or have it wait, in their words. */
export const reconciledEnds = [
  "succeeded",
  "failed",
  "denied",
  "waiting",
  "rejected",
  "expired",
  "cancelled",
  "halted",
  "unknown",
] as const;

export type ReconciledKind = {
  end: string;
  ledger: number;
  /** Null: this side was not asked. */
  metrics: number | null;
  spans: number | null;
  /** Entries without a span whose trace the sampler leaves out. */
  unsampled: number;
  /** Entries whose attempt had to be answered before its end could be recorded: its span says `unrecorded`. */
  late: number;
};

export type Reconciliation = {
  kinds: ReconciledKind[];
  /** Entries without a span that nothing above explains, and spans without an entry. */
  missing: ToldEnd[];
  unfounded: ToldEnd[];
  /** Spans that the server says it could not send. So many may be missing, and no more. */
  dropped: number;
  agrees: boolean;
};

/**
 * Compares what three sides tell of the same actions. The ledger is the one that is right; this says whether the other two can be believed,
 * and where not, for which actions. Nothing of the ledger is ever made from them.
 */
export function reconcile(sides: {
  ledger: readonly ToldEnd[];
  /** Counts by end. */
  metrics: ReadonlyMap<string, number> | null;
  spans: readonly ToldEnd[] | null;
  dropped: number;
  /** Whether the sampler meant to send spans of this trace. */
  isSampled: (traceId: string) => boolean;
}): Reconciliation {
  const { ledger, metrics, spans, dropped } = sides;
  const spanKeys = counted(spans ?? []);
  const late = new Set((spans ?? []).filter(({ end }) => end === "unrecorded").map(({ actionId }) => actionId));
  const missing: ToldEnd[] = [];
  const unsampled: ToldEnd[] = [];
  const explained: ToldEnd[] = [];
  for (const told of ledger) {
    const left = spanKeys.get(keyOf(told)) ?? 0;
    if (left > 0) spanKeys.set(keyOf(told), left - 1);
    else if (spans === null) continue;
    else if (late.has(told.actionId)) explained.push(told);
    else if (told.traceId !== null && !sides.isSampled(told.traceId)) unsampled.push(told);
    else missing.push(told);
  }
  const ends = new Set<string>(reconciledEnds);
  const unfounded = (spans ?? []).filter((told) => {
    const left = spanKeys.get(keyOf(told)) ?? 0;
    if (!ends.has(told.end) || left === 0) return false;
    spanKeys.set(keyOf(told), left - 1);
    return true;
  });
  const kinds = reconciledEnds.map((end): ReconciledKind => {
    const of = (side: readonly ToldEnd[]): number => side.filter((told) => told.end === end).length;
    return {
      end,
      ledger: of(ledger),
      metrics: metrics === null ? null : (metrics.get(end) ?? 0),
      spans: spans === null ? null : of(spans),
      unsampled: of(unsampled),
      late: of(explained),
    };
  });
  const metricsAgree = kinds.every((kind) => kind.metrics === null || kind.metrics === kind.ledger);
  return { kinds, missing, unfounded, dropped, agrees: metricsAgree && unfounded.length === 0 && missing.length <= dropped };
}

/**
 * Whether OpenTelemetry's `TraceIdRatioBased` sampler sends a trace: it decides by the id alone, so that all of a trace's servers decide alike.
 */
export function isInRatio(traceId: string, ratio: number): boolean {
  let accumulated = 0;
  for (let place = 0; place < 32; place += 8) accumulated = (accumulated ^ Number.parseInt(traceId.slice(place, place + 8), 16)) >>> 0;
  return ratio >= 1 || accumulated < Math.floor(ratio * 0xff_ff_ff_ff);
}

function keyOf({ actionId, end }: ToldEnd): string {
  return `${actionId} ${end}`;
}

function counted(told: readonly ToldEnd[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of told) counts.set(keyOf(one), (counts.get(keyOf(one)) ?? 0) + 1);
  return counts;
}
