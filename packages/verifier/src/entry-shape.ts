import type { Json, JsonObject, LedgerEvent } from "@remit/contract";

/** A sentence about what an entry lacks to be one; null where it is one. Members that are not known here are left alone: the form may grow. */
export function wrongWithEvent(value: Json, origin: string): string | null {
  if (!isObject(value)) return "is not an object";
  if (value["specversion"] !== "1.0") return 'has no specversion "1.0"';
  for (const name of ["id", "source", "type", "time", "actor"])
    if (typeof value[name] !== "string" || value[name] === "") return `has no text as its ${name}`;
  if (value["datacontenttype"] !== "application/json") return "is not of application/json";
  for (const name of ["actionid", "runid", "approvalid", "traceid"]) {
    if (Object.hasOwn(value, name) && typeof value[name] !== "string") return `has a ${name} that is not text`;
  }
  const { type, time } = value;
  if (typeof type !== "string" || !type.startsWith("remit.")) return "is of a type that is not of Remit";
  if (value["source"] !== origin) return "is of another ledger";
  if (typeof time !== "string" || !isTime(time)) return "has a time that is none";
  const data = value["data"];
  if (!isObject(data)) return "has no data";
  return wrongWithPayloads(data["payloads"]);
}

function wrongWithPayloads(payloads: Json | undefined): string | null {
  if (payloads === undefined) return null;
  if (!isObject(payloads)) return "has commitments that are no object";
  for (const commitment of Object.values(payloads)) {
    if (!isObject(commitment) || !isDigest(commitment["commitment"]) || !isDigest(commitment["sealed"]))
      return "has a commitment that is none";
  }
  return null;
}

/** Only of a value that {@link wrongWithEvent} has nothing to say against. */
export function asEvent(value: Json): LedgerEvent {
  return value as unknown as LedgerEvent;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDigest(value: Json | undefined): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) && !Number.isNaN(Date.parse(text));
}
