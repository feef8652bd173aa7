import type { RetentionSpec, Sensitivity } from "@remit/contract";

/** What a sealed payload is, for how long it is kept. */
export const payloadClasses = ["arguments", "results", "approvals", "items", "others"] as const;
export type PayloadClass = (typeof payloadClasses)[number];
export const sensitivities = ["public", "internal", "confidential", "restricted"] as const satisfies readonly Sensitivity[];

export function payloadClass(name: string): PayloadClass {
  switch (name) {
    case "arguments":
    case "continuation":
      return "arguments";
    case "result":
    case "failure":
      return "results";
    case "comment":
      return "approvals";
    case "item":
      return "items";
    default:
      return "others";
  }
}

/** A day's payloads of one class and sensitivity share a key besides their own: destroying it ends them all, and nothing else. */
export type KeptKey = { class: PayloadClass; sensitivity: Sensitivity; day: string };

export const keptKeyPrefix = "kept:";

export function keptKeyName(payload: string, sensitivity: Sensitivity, at: string): string {
  return `${keptKeyPrefix}${payloadClass(payload)}/${sensitivity}/${at.slice(0, 10)}`;
}

/** The names of a whole day. */
export function keptKeyNames(day: string): string[] {
  return payloadClasses.flatMap((kind) => sensitivities.map((sensitivity) => `${keptKeyPrefix}${kind}/${sensitivity}/${day}`));
}

export function parseKeptKey(name: string): KeptKey | null {
  if (!name.startsWith(keptKeyPrefix)) return null;
  const [kind, sensitivity, day, ...rest] = name.slice(keptKeyPrefix.length).split("/");
  const knownClass = payloadClasses.find((one) => one === kind);
  const knownSensitivity = sensitivities.find((one) => one === sensitivity);
  if (knownClass === undefined || knownSensitivity === undefined || rest.length > 0) return null;
  if (day === undefined || !/^\d{4}-\d\d-\d\d$/.test(day)) return null;
  return { class: knownClass, sensitivity: knownSensitivity, day };
}

/** The schedule for a class and sensitivity, an ISO 8601 duration; null: it is kept. */
export function scheduleFor(retention: RetentionSpec | undefined, key: Pick<KeptKey, "class" | "sensitivity">): string | null {
  const kept = retention?.[key.class];
  if (kept === undefined) return null;
  return typeof kept === "string" ? kept : (kept[key.sensitivity] ?? null);
}
