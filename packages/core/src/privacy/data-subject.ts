import { type Json, type JsonObject, nameSchema, RemitError, type SubjectPointer } from "@remit/contract";
import { valuesAt } from "../redact/redact.ts";

/** One payload is about at most so many. */
export const maxDataSubjects = 64;
const longestIdentifier = 200;

/**
 * The one name of a data subject, `customer:C-1042`. Identifiers are compared as NFC without outer white space; an e-mail address also
 * without regard to case, for nobody has two that differ in it.
 */
export function dataSubjectName(type: string, identifier: string): string {
  const plain = identifier.normalize("NFC").trim();
  return `${type}:${plain.includes("@") ? plain.toLowerCase() : plain}`;
}

/** @throws RemitError `invalid-request` */
export function parseDataSubject(text: string): string {
  const separator = text.indexOf(":");
  const [type, identifier] = separator === -1 ? ["", ""] : [text.slice(0, separator), text.slice(separator + 1)];
  if (nameSchema.safeParse(type).success && isIdentifier(identifier)) return dataSubjectName(type, identifier);
  throw new RemitError("invalid-request", `"${text}" names no data subject: write its type and its identifier, as in customer:C-1042`);
}

/**
 * Whom a value is about, by the pointers that its tool or queue declares: names, sorted, each once. A pointer that names nothing adds nobody.
 *
 * @throws RemitError `invalid-arguments` where something stands there that is no identifier: who cannot be named cannot be erased.
 */
export function subjectsNamed(pointers: readonly Pick<SubjectPointer, "type" | "pointer">[], value: JsonObject): string[] {
  const found = new Set<string>();
  for (const { type, pointer } of pointers) {
    for (const named of valuesAt(value, pointer)) {
      if (named === null) continue;
      const identifier = identifierOf(named);
      if (identifier === null)
        throw refuse(pointer, `must be a string of 1 to ${longestIdentifier} characters or a whole number: it names whom this is about`);
      found.add(dataSubjectName(type, identifier));
    }
  }
  if (found.size > maxDataSubjects) throw refuse("", `name ${found.size} people, and ${maxDataSubjects} can be recorded in one`);
  return [...found].sort();
}

function identifierOf(value: Json): string | null {
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : null;
  return typeof value === "string" && isIdentifier(value) ? value : null;
}

function isIdentifier(text: string): boolean {
  const { length } = text.trim();
  return length > 0 && length <= longestIdentifier;
}

function refuse(pointer: string, message: string): RemitError {
  return new RemitError("invalid-arguments", `${pointer === "" ? "The arguments" : pointer} ${message}`, {
    issues: [{ message, pointer }],
  });
}
