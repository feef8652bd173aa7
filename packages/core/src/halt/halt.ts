import type { Effect, HaltMode, HaltScope } from "@remit/contract";

/** What a halt is matched against. */
export type HaltSubject = { environment: string; agent: string; tool: string; upstream: string; run: string | null; effect: Effect };

export type Halt = { id: string; mode: HaltMode; scope: HaltScope; reason: string };

/** Whether a halt's scope covers something, whatever its mode. */
export function covers(scope: HaltScope, subject: HaltSubject): boolean {
  return scope.type === "everything" || scope.name === subject[scope.type];
}

/** The halt that stops this action, or null. A safe mode stops everything that is not a read; a halt goes first, for it says more. */
export function stoppedBy(halts: readonly Halt[], subject: HaltSubject): Halt | null {
  if (halts.length === 0) return null;
  const covering = halts.filter((halt) => covers(halt.scope, subject));
  return (
    covering.find(({ mode }) => mode === "halt") ?? covering.find(({ mode }) => mode === "safe-mode" && subject.effect !== "read") ?? null
  );
}

/** Somebody who speaks for a release: a party, and who made the login that he speaks with. */
export type Voice = { party: string; linkedBy: string };

/**
 * Whose voice this is. Two voices are one person when the party is the same, or when one of them made the login of the other:
 * whoever can hand out logins could otherwise be two people at once.
 */
export function mayRelease(first: Voice | null, speaker: Voice): "first" | "second" | "same-person" {
  if (first === null) return "first";
  const same = first.party === speaker.party || speaker.linkedBy === `party:${first.party}` || first.linkedBy === `party:${speaker.party}`;
  return same ? "same-person" : "second";
}
