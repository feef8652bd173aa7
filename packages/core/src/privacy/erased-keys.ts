import { keptKeyPrefix } from "./payload-class.ts";

/** Types of entries that say that keys of payloads were destroyed. */
export const erasureTypes = ["subject-erased", "retention-purged"] as const;

/** The names of the keys that an entry says were destroyed. */
export function erasedKeys({ type, data }: { type: string; data: Readonly<Record<string, unknown>> }): string[] {
  const { key, keys } = data;
  if (type === "remit.subject-erased") return typeof key === "string" ? [key] : [];
  if (type !== "remit.retention-purged" || !Array.isArray(keys)) return [];
  return keys.flatMap((kept: unknown) => {
    const { class: kind, sensitivity, day } = (kept ?? {}) as Record<string, unknown>;
    return [kind, sensitivity, day].every((part) => typeof part === "string")
      ? [`${keptKeyPrefix}${[kind, sensitivity, day].join("/")}`]
      : [];
  });
}
