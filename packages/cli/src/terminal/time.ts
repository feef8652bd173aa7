const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** A length of time as people say it: its two largest units. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const index = units.findIndex(([, size]) => milliseconds >= size);
  const [unit, size] = units[index] ?? units[3];
  const [nextUnit, nextSize] = units[index + 1] ?? ["", 0];
  const whole = Math.floor(milliseconds / size);
  const rest = nextSize === 0 ? 0 : Math.floor((milliseconds - whole * size) / nextSize);
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${nextUnit}`;
}

export function ago(at: string, now: number): string {
  const passed = now - Date.parse(at);
  return Number.isNaN(passed) ? at : passed < 1_000 ? "just now" : `${duration(passed)} ago`;
}

export function until(at: string, now: number): string {
  const left = Date.parse(at) - now;
  return Number.isNaN(left) ? at : left <= 0 ? "past" : `in ${duration(left)}`;
}
