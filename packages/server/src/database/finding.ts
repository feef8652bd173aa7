/** What the doctor found of one thing. */
export type Finding = {
  /** What was looked at, kebab-case. */
  check: string;
  ok: boolean;
  /** What is so, as a sentence. */
  message: string;
  /** What to do about it; null where nothing is to be done. */
  fix: string | null;
};

export function healthy(check: string, message: string): Finding {
  return { check, ok: true, message, fix: null };
}

export function ailing(check: string, message: string, fix: string): Finding {
  return { check, ok: false, message, fix };
}

/** A check that threw is a finding, too. */
export function failed(check: string, error: unknown, fix: string): Finding {
  return ailing(check, error instanceof Error ? error.message : String(error), fix);
}
