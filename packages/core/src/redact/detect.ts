import { type Detector, detectorSchema } from "@remit/contract";
import { digitAt, isSeparator, isWord, letterAt } from "./characters.ts";
import { cardsIn, ibanEnd, readRun } from "./numbers.ts";
import { assigned, authorization, beginningAt, jwtEnd, keyEnd, mayBegin, privateKeyEnd, urlPassword } from "./secrets.ts";

export const detectors: readonly Detector[] = detectorSchema.options;

export type Finding = { detector: Detector; from: number; to: number };

/** What nobody needs in a log. E-mail addresses are looked for where that is asked for: they are also what people search logs by. */
export const usualDetectors: ReadonlySet<Detector> = new Set(["payment-card", "iban", "secret"]);

const shortest = 6;

// What a character may begin. Most text is letters within words, which are passed over.
const sign = 1;
const underscore = 2;
const letter = 3;
const digit = 4;
const other = 5;
const kinds = Uint8Array.from({ length: 128 }, (_, code) => {
  if (code >= 48 && code <= 57) return digit;
  if (code === 95) return underscore;
  if (isWord(code)) return letter;
  return code === 45 || code === 58 || code === 64 ? sign : 0;
});

/** In one pass, in time that grows with the text alone; in order, none in another. */
export function detect(text: string, wanted: ReadonlySet<Detector> = usualDetectors): Finding[] {
  const found: Finding[] = [];
  if (text.length < shortest) return found;
  const cards = wanted.has("payment-card");
  const ibans = wanted.has("iban");
  const secrets = wanted.has("secret");
  const emails = wanted.has("email");
  /** Before this, everything has been looked at. */
  let done = 0;
  const add = (detector: Detector, from: number, to: number): void => {
    if (from < done) return;
    found.push({ detector, from, to });
    done = to;
  };
  const looked = { to: 0 };
  let wasWord = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const beginsWord = !wasWord;
    const kind = code < 0x80 ? (kinds[code] ?? 0) : other;
    wasWord = kind >= underscore && kind !== other;
    if (kind === 0 || (kind === letter && !beginsWord) || at < done) continue;
    if (kind === digit || (kind === other && digitAt(text, at) >= 0)) {
      if (!cards || (at > 0 && digitAt(text, at - 1) >= 0)) continue;
      const run = readRun(text, at);
      // A letter right before or behind makes a name of it.
      for (const { from, to } of cardsIn(run)) {
        if (letterAt(text, from - 1) === 0 && letterAt(text, to) === 0) add("payment-card", from, to);
      }
      // What comes behind has been read; it is not read again.
      if (run.digits.length > 12) {
        at = Math.max(at, run.to - 1);
        wasWord = true;
      }
      continue;
    }
    if (kind === letter || kind === other) {
      const begins = secrets ? beginningAt(text, at) : 0;
      if (begins !== 0) {
        const value =
          ((begins & mayBegin.key) === 0 ? null : (upTo(at, keyEnd(text, at)) ?? upTo(at, jwtEnd(text, at, looked)))) ??
          ((begins & mayBegin.authorization) === 0 ? null : authorization(text, at)) ??
          ((begins & mayBegin.name) === 0 ? null : assigned(text, at));
        if (value !== null) {
          add("secret", value.from, value.to);
          continue;
        }
      }
      if (ibans && (digitAt(text, at + 2) >= 0 || (isSeparator(text.charCodeAt(at + 2)) && digitAt(text, at + 3) >= 0))) {
        const end = ibanEnd(text, at);
        if (end > at) add("iban", at, end);
      }
    } else if (kind === underscore) {
      // DB_PASSWORD: a name within a name.
      const value = secrets && (beginningAt(text, at + 1) & mayBegin.name) !== 0 ? assigned(text, at + 1) : null;
      if (value !== null) add("secret", value.from, value.to);
    } else if (code === 45) {
      const end = secrets && text.charCodeAt(at + 1) === 45 ? privateKeyEnd(text, at) : -1;
      if (end > at) add("secret", at, end);
    } else if (code === 58) {
      const password = secrets && text.startsWith("://", at) ? urlPassword(text, at) : null;
      if (password !== null) add("secret", password.from, password.to);
    } else if (code === 64 && emails) {
      const address = emailAround(text, at, done);
      if (address !== null) add("email", address.from, address.to);
    }
  }
  return found;
}

function upTo(from: number, to: number): { from: number; to: number } | null {
  return to > from ? { from, to } : null;
}

/** The address around an `@`: at most 64 characters before, and a domain of at most 255 with a dot in it. */
function emailAround(text: string, at: number, notBefore: number): { from: number; to: number } | null {
  let from = at;
  while (from > notBefore && at - from < 64 && isLocal(text.charCodeAt(from - 1))) from -= 1;
  while (from < at && text.charCodeAt(from) === 46) from += 1;
  let to = at + 1;
  let dot = -1;
  while (to < text.length && to - at < 255) {
    const code = text.charCodeAt(to);
    if (code === 46) {
      if (to === at + 1 || text.charCodeAt(to - 1) === 46) break;
      dot = to;
    } else if (!isWord(code) && code !== 45 && code < 0x80) break;
    else if (code >= 0x80 && (code < 0xc0 || (code >= 0x2000 && code <= 0x206f))) break;
    to += 1;
  }
  while (to > at && (text.charCodeAt(to - 1) === 46 || text.charCodeAt(to - 1) === 45)) to -= 1;
  if (dot >= to) dot = text.lastIndexOf(".", to - 1);
  return from === at || dot <= at + 1 || to - dot < 3 || digitAt(text, dot + 1) >= 0 ? null : { from, to };
}

function isLocal(code: number): boolean {
  if (code >= 0xc0) return !(code >= 0x2000 && code <= 0x206f);
  return isWord(code) || "!#$%&'*+-/=?^`{|}~.".includes(String.fromCharCode(code));
}
