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
  const covering = halts.filter((halt) => covers(halt.scope, subject));
  return (
    covering.find(({ mode }) => mode === "halt") ?? covering.find(({ mode }) => mode === "safe-mode" && subject.effect !== "read") ?? null
  );
}
