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
  /** The first ones: by sequence number, then those without one. */
  sorted(): Problem[];
};

const listed = 100;

/** Notes what is wrong. The first at each place is kept: what follows from it would only hide it. */
export function collectProblems(): Problems {
  const bySeq = new Map<number, Problem>();
  const others = new Map<string, Problem>();
  let count = 0;
  return {
    report(kind, seq, what) {
      if (seq === null ? others.has(what) : bySeq.has(seq)) return;
      count += 1;
      const problem = { kind, seq, what };
      if (seq === null) {
        if (others.size < listed) others.set(what, problem);
      } else if (bySeq.size < 20 * listed) bySeq.set(seq, problem);
    },
    count: () => count,
    sorted: () => [...[...bySeq.values()].sort((left, right) => (left.seq ?? 0) - (right.seq ?? 0)), ...others.values()].slice(0, listed),
  };
}

/** Text from a bundle as it may be shown: nobody's escape sequences reach a terminal. */
export function shown(text: string, most = 120): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\u00b7");
  return plain.length > most ? `${plain.slice(0, most)}…` : plain;
}
