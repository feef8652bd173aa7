/** `tampered`: it is not what was signed. `incomplete`: what would tell is not there. */
export type ProblemKind = "tampered" | "incomplete";

export type Problem = {
  kind: ProblemKind;
  /** The sequence number that it is found at; null for what has none. */
  seq: number | null;
  what: string;
};

/** A bundle, or a part of it, that cannot be read any further. */
export class Refusal extends Error {
  readonly kind: ProblemKind;
  readonly seq: number | null;

  constructor(kind: ProblemKind, what: string, seq: number | null = null) {
    super(what);
    this.kind = kind;
    this.seq = seq;
  }
}

export type Problems = {
  report(kind: ProblemKind, seq: number | null, what: string): void;
  count(): number;
  has(kind: ProblemKind): boolean;
  /** The first ones: what was tampered with before what is missing; each by sequence number, then those without one. */
  sorted(): Problem[];
};

const listed = 100;

/**
 * Notes what is wrong. The first at each place is kept: what follows from it would only hide it. Kinds are kept apart: however much is
 * missing, it does not crowd out what was changed.
 */
export function collectProblems(): Problems {
  const kinds = { tampered: collectKind("tampered"), incomplete: collectKind("incomplete") };
  return {
    report(kind, seq, what) {
      // What was changed at a place counts for more than what is missing there.
      if (kind === "incomplete" && seq !== null && kinds.tampered.isNoted(seq)) return;
      kinds[kind].report(seq, what);
    },
    count: () => kinds.tampered.count() + kinds.incomplete.count(),
    has: (kind) => kinds[kind].count() > 0,
    sorted: () => [...kinds.tampered.sorted(), ...kinds.incomplete.sorted()].slice(0, listed),
  };
}

function collectKind(kind: ProblemKind) {
  let bySeq = new Map<number, Problem>();
  const others = new Map<string, Problem>();
  let count = 0;
  const ordered = (): Problem[] => [...bySeq.values()].sort((left, right) => (left.seq ?? 0) - (right.seq ?? 0)).slice(0, listed);
  return {
    report(seq: number | null, what: string): void {
      if (seq === null ? others.has(what) : bySeq.has(seq)) return;
      count += 1;
      if (seq === null) {
        if (others.size < listed) others.set(what, { kind, seq, what });
        return;
      }
      bySeq.set(seq, { kind, seq, what });
      // They do not come in order: a root that does not hold is found long after the entries that it is over.
      if (bySeq.size > 20 * listed) bySeq = new Map(ordered().map((problem) => [problem.seq ?? 0, problem]));
    },
    isNoted: (seq: number) => bySeq.has(seq),
    count: () => count,
    sorted: () => [...ordered(), ...others.values()],
  };
}

/** Text from a bundle as it may be shown: nobody's escape sequences reach a terminal. */
export function shown(text: string, most = 120): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\u00b7");
  return plain.length > most ? `${plain.slice(0, most)}…` : plain;
}
