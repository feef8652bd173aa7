import { digitAt, digitWidth, isSeparator, letterAt } from "./characters.ts";

/** A number as it stands there: its digits, and where each group of them begins and ends. */
type Run = { digits: number[]; groups: { from: number; to: number; first: number; count: number }[]; to: number };

/** No longer than this: what goes on is looked at from where this ends. */
const longestRun = 512;
const widestGap = 3;

/** Digits from a place on, with what separates their groups. */
export function readRun(text: string, from: number): Run {
  const run: Run = { digits: [], groups: [], to: from };
  let at = from;
  for (;;) {
    const group = { from: at, to: at, first: run.digits.length, count: 0 };
    let value = digitAt(text, at);
    while (value >= 0 && run.digits.length < longestRun) {
      run.digits.push(value);
      group.count += 1;
      at += digitWidth(text, at);
      value = digitAt(text, at);
    }
    if (group.count > 0) run.groups.push({ ...group, to: at });
    run.to = at;
    if (run.digits.length >= longestRun) return run;
    let next = at;
    while (next - at < widestGap && isSeparator(text.charCodeAt(next))) next += 1;
    if (next === at || digitAt(text, next) < 0) return run;
    at = next;
  }
}

/**
 * The payment cards in a run of digits: of a known network, of its length, with the check digit of Luhn, and grouped as cards are, or
 * else nothing but the card. Ten in a hundred numbers have the check digit by chance.
 */
export function cardsIn(run: Run): { from: number; to: number }[] {
  const { digits, groups } = run;
  const whole = groups[0];
  const last = groups.at(-1);
  if (whole === undefined || last === undefined || digits.length < 12) return [];
  if (isCard(digits, 0, digits.length)) return [{ from: whole.from, to: last.to }];
  const found: { from: number; to: number }[] = [];
  for (let start = 0; start < groups.length; start += 1) {
    const first = groups[start];
    if (first === undefined) break;
    for (const length of groupings) {
      const end = groups[start + length.length - 1];
      if (end === undefined || !length.every((count, index) => groups[start + index]?.count === count)) continue;
      const count = end.first + end.count - first.first;
      if (!isCard(digits, first.first, count)) continue;
      found.push({ from: first.from, to: end.to });
      start += length.length - 1;
      break;
    }
    if (first.count >= 13 && isCard(digits, first.first, first.count)) found.push({ from: first.from, to: first.to });
  }
  return found;
}

/** How cards are printed. */
const groupings: readonly (readonly number[])[] = [
  [4, 4, 4, 4, 3],
  [4, 4, 4, 4],
  [4, 6, 5],
  [4, 6, 4],
  [4, 4, 5],
  [4, 3, 3, 3],
  [8, 8],
];

function isCard(digits: readonly number[], from: number, count: number): boolean {
  if (count < 13 || count > 19 || !isIssued(digits, from, count)) return false;
  let sum = 0;
  let distinct = 0;
  for (let index = 0; index < count; index += 1) {
    const digit = digits[from + count - 1 - index] ?? 0;
    distinct |= 1 << digit;
    sum += index % 2 === 1 ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
  }
  // One digit over and over is filled in, and no card.
  return sum % 10 === 0 && (distinct & (distinct - 1)) !== 0;
}

/** Whether a network gives out numbers that begin so and are so long. */
function isIssued(digits: readonly number[], from: number, count: number): boolean {
  const head = (length: number): number => {
    let value = 0;
    for (let index = 0; index < length; index += 1) value = value * 10 + (digits[from + index] ?? 0);
    return value;
  };
  const two = head(2);
  const four = head(4);
  if (two >= 40 && two <= 49) return count === 13 || count === 16 || count === 19;
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return count === 16;
  if (two === 34 || two === 37) return count === 15;
  if (two === 36 || two === 38 || two === 39 || (four >= 3000 && four <= 3059)) return count >= 14;
  if (four >= 3528 && four <= 3589) return count >= 16;
  if (four === 6011 || two === 64 || two === 65 || two === 62) return count >= 16;
  if (two === 60 || two === 81 || two === 82) return count === 16;
  if (two === 50 || (two >= 56 && two <= 69)) return count >= 16;
  return false;
}

/** Lengths of IBANs by country, as the registry of SWIFT has them. */
const ibanLengths: ReadonlyMap<string, number> = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 " +
    "GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 " +
    "MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 " +
    "TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** Where the IBAN that begins here ends, or -1: its country's length, and 1 modulo 97. */
export function ibanEnd(text: string, from: number): number {
  const country = String.fromCharCode(letterAt(text, from), letterAt(text, from + 1));
  const length = ibanLengths.get(country);
  if (length === undefined) return -1;
  // The first four characters count last.
  let rest = 0;
  let head = 0;
  let at = from;
  for (let count = 0; count < length; count += 1) {
    const gapEnd = count === 0 ? at : at + widestGap;
    while (at < gapEnd && isSeparator(text.charCodeAt(at))) at += 1;
    const digit = digitAt(text, at);
    const letter = digit >= 0 ? 0 : letterAt(text, at);
    if (digit < 0 && (letter === 0 || count === 2 || count === 3)) return -1;
    if (count < 2 && letter === 0) return -1;
    const value = digit >= 0 ? digit : letter - 55;
    if (count < 4) head = head * (value > 9 ? 100 : 10) + value;
    else rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
    at += digit >= 0 ? digitWidth(text, at) : 1;
  }
  if (digitAt(text, at) >= 0 || letterAt(text, at) !== 0) return -1;
  return (rest * 1_000_000 + head) % 97 === 1 ? at : -1;
}
