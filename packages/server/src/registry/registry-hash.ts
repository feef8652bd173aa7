import { createHash } from "node:crypto";
import type { Digest } from "@remit/contract";

/** SHA-256 of a text's UTF-8 bytes, in hexadecimal. */
export function hashText(text: string): Digest {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/** A time zone by name. Offsets such as +01:00 are refused: they know no daylight saving, so days would begin at the wrong hour. */
export function isTimeZone(name: string): boolean {
  try {
    return /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
