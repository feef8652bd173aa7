import { RemitError } from "@remit/contract";

/** Types of elements, by the numbers that PostgreSQL knows them by in every database. */
const oids = { bytea: 17, bigint: 20, text: 25, json: 114, timestamptz: 1184, jsonb: 3802 } as const;

export type ElementType = keyof typeof oids;

/** Times as a Date, or in ISO 8601 with milliseconds; JSON as text. */
export type Element = string | number | Date | Buffer | null;

/** Dimensions, whether there are nulls, the type, the length, the first index. */
const headerLength = 20;

/**
 * An array as PostgreSQL takes it in binary form (`array_recv`): nothing is escaped here, and nothing parsed there. Null where it has
 * no element but null: an index into either finds null.
 * @throws RemitError where an element has no such form
 */
export function binaryArray(type: ElementType, elements: readonly Element[]): Buffer | null {
  let length = headerLength;
  let nulls = 0;
  for (const element of elements) {
    length += 4;
    if (element === null) nulls += 1;
    else length += lengthOf(type, element);
  }
  if (nulls === elements.length) return null;
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(nulls === 0 ? 0 : 1, 4);
  bytes.writeInt32BE(oids[type], 8);
  bytes.writeInt32BE(elements.length, 12);
  bytes.writeInt32BE(1, 16);
  let end = headerLength;
  for (const element of elements) {
    const start = end + 4;
    end = element === null ? start : write(bytes, start, type, element);
    bytes.writeInt32BE(element === null ? -1 : end - start, start - 4);
  }
  return bytes;
}

function lengthOf(type: ElementType, element: Exclude<Element, null>): number {
  if (type === "bigint" || type === "timestamptz") return 8;
  if (type === "bytea" && Buffer.isBuffer(element)) return element.length;
  if (type !== "bytea" && typeof element === "string") return Buffer.byteLength(element) + (type === "jsonb" ? 1 : 0);
  throw refuse(type);
}

function write(bytes: Buffer, start: number, type: ElementType, element: Exclude<Element, null>): number {
  if (type === "bigint") return bytes.writeBigInt64BE(integerOf(element), start);
  if (type === "timestamptz") return bytes.writeBigInt64BE(microsecondsOf(element), start);
  if (Buffer.isBuffer(element)) return start + element.copy(bytes, start);
  // The version of its form.
  const at = type === "jsonb" ? bytes.writeUInt8(1, start) : start;
  return at + bytes.write(String(element), at);
}

function integerOf(element: Exclude<Element, null>): bigint {
  if (typeof element !== "number" || !Number.isSafeInteger(element)) throw refuse("bigint");
  return BigInt(element);
}

const year2000 = Date.UTC(2000, 0, 1);

function microsecondsOf(element: Exclude<Element, null>): bigint {
  const time = element instanceof Date ? element.getTime() : typeof element === "string" ? millisecondsOf(element) : NaN;
  if (Number.isNaN(time)) throw refuse("timestamptz");
  return BigInt(time - year2000) * 1000n;
}

/** The second that was read last, as far as its point, and when it began: times come in their order, many to a second. */
let second = "";
let secondBegan = NaN;

/** NaN where it is no time, or not in the form in which a Date is written. */
function millisecondsOf(text: string): number {
  if (text.length !== 24 || second === "" || !text.startsWith(second)) {
    const time = Date.parse(text);
    // A 30th of February is read as the 2nd of March.
    if (Number.isNaN(time) || new Date(time).toISOString() !== text) return NaN;
    if (text.length === 24) {
      second = text.slice(0, 20);
      secondBegan = time - Number(text.slice(20, 23));
    }
    return time;
  }
  const milliseconds = digit(text, 20) * 100 + digit(text, 21) * 10 + digit(text, 22);
  return text.endsWith("Z") ? secondBegan + milliseconds : NaN;
}

function digit(text: string, at: number): number {
  const code = text.charCodeAt(at) - 0x30;
  return code >= 0 && code <= 9 ? code : NaN;
}

function refuse(type: ElementType): RemitError {
  return new RemitError("invalid-request", `It has no form that can be recorded: a value is no ${type}`);
}
