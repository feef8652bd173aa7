import type { ApprovalView } from "@remit/contract";

const effects = {
  read: "It looks something up and changes nothing.",
  propose: "It prepares something that a person will look at.",
  write: "It changes something outside Remit.",
};

const reversibilities = {
  none: "It cannot be undone.",
  compensable: "It cannot be undone, only made good.",
  reversible: "It can be undone.",
};

/** What happens if it runs, as sentences. */
export function consequence({ effect, reversibility }: Pick<ApprovalView, "effect" | "reversibility">): string {
  return effect === "read" ? effects.read : `${effects[effect]} ${reversibilities[reversibility]}`;
}

const states: Record<ApprovalView["state"], string> = {
  pending: "Waiting for a decision",
  granted: "Approved; it is about to run, once",
  consumed: "Approved",
  denied: "Denied; it did not run",
  expired: "Expired; it did not run",
  cancelled: "Cancelled; it did not run",
  stale: "Approved, but policy had changed when it was to run; it did not run",
};

export function stateWords({ state }: Pick<ApprovalView, "state">): string {
  return states[state];
}

/** "in 3 h 12 min", "2 days ago": from one moment to another, in at most two units. */
export function distance(to: string, now: number): string {
  const seconds = Math.round((Date.parse(to) - now) / 1_000);
  const size = Math.abs(seconds);
  const units: [number, string][] = [
    [86_400, size >= 172_800 ? "days" : "day"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([length]) => size >= length);
  if (first === -1) return "now";
  let left = size;
  const words: string[] = [];
  for (const [length, unit] of units.slice(first, first + 2)) {
    const count = Math.floor(left / length);
    left -= count * length;
    if (count > 0) words.push(`${count} ${unit}`);
  }
  return seconds > 0 ? `in ${words.join(" ")}` : `${words.join(" ")} ago`;
}
