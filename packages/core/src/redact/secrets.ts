import { isKeyCharacter, isWord } from "./characters.ts";

/** A key of a well-known maker: how it begins, and how many characters of a key follow at least. */
const makers: readonly [prefix: string, least: number][] = [
  ["ghp_", 20],
  ["gho_", 20],
  ["ghu_", 20],
  ["ghs_", 20],
  ["ghr_", 20],
  ["github_pat_", 20],
  ["glpat-", 15],
  ["gldt-", 15],
  ["xoxa-", 10],
  ["xoxb-", 10],
  ["xoxe-", 10],
  ["xoxe.", 10],
  ["xoxo-", 10],
  ["xoxp-", 10],
  ["xoxr-", 10],
  ["xoxs-", 10],
  ["xapp-", 10],
  ["sk-", 20],
  ["sk_live_", 10],
  ["sk_test_", 10],
  ["rk_live_", 10],
  ["rk_test_", 10],
  ["whsec_", 16],
  ["AKIA", 16],
  ["ASIA", 16],
  ["AIza", 30],
  ["ya29.", 20],
  ["GOCSPX-", 20],
  ["npm_", 30],
  ["pypi-", 30],
  ["hvs.", 20],
  ["hvb.", 20],
  ["hvr.", 20],
  ["hf_", 20],
  ["dop_v1_", 30],
  ["shpat_", 20],
  ["SG.", 30],
  ["lin_api_", 20],
  ["sq0atp-", 15],
  ["figd_", 20],
  ["dckr_pat_", 20],
  ["glsa_", 20],
  ["ops_eyJ", 30],
  ["AGE-SECRET-KEY-1", 40],
];

const byFirst = new Map<number, [string, number][]>();
for (const [prefix, least] of makers) byFirst.set(prefix.charCodeAt(0), [...(byFirst.get(prefix.charCodeAt(0)) ?? []), [prefix, least]]);

/** Where the key that begins here ends, or -1. What is asked for begins a word. */
export function keyEnd(text: string, from: number): number {
  for (const [prefix, least] of byFirst.get(text.charCodeAt(from)) ?? []) {
    if (!text.startsWith(prefix, from)) continue;
    const start = from + prefix.length;
    let at = start;
    while (at - start < least && isKeyCharacter(text.charCodeAt(at))) at += 1;
    // Words with hyphens between them are no key: "sk-" begins some. No more is read than that takes, so that reading stays linear.
    if (at - start < least || (prefix.length <= 3 && !isMixed(text, start, start + 40))) continue;
    const end = keyCharactersEnd(text, start);
    if (end - start >= least) return end;
  }
  return -1;
}

/** Where the JSON Web Token that begins here ends, or -1: two parts, of which the first is an object, and a third. `looked`: what need not be looked at again. */
export function jwtEnd(text: string, from: number, looked: { to: number }): number {
  if (from < looked.to || !text.startsWith("eyJ", from)) return -1;
  const header = base64UrlEnd(text, from);
  const body = text.charCodeAt(header) === 46 ? base64UrlEnd(text, header + 1) : header;
  // Encrypted ones have five parts, of which the second may be empty.
  if (header - from < 12 || body === header || text.charCodeAt(body) !== 46) {
    // Whatever begins before this ends here too.
    if (body === header || text.charCodeAt(body) !== 46) looked.to = header;
    return -1;
  }
  let end = base64UrlEnd(text, body + 1);
  if (body - header < 9 && end - body < 9) return -1;
  for (let parts = 0; parts < 2 && text.charCodeAt(end) === 46; parts += 1) end = base64UrlEnd(text, end + 1);
  return end;
}

/** Where the private key that begins here ends, or -1. One without an end goes on to the end of the text. */
export function privateKeyEnd(text: string, from: number): number {
  if (!text.startsWith("-----BEGIN ", from)) return -1;
  const dashes = text.indexOf("-----", from + 11);
  if (
    dashes === -1 ||
    dashes - from > 60 ||
    !text
      .slice(from + 11, dashes)
      .trimEnd()
      .endsWith("PRIVATE KEY")
  ) {
    if (dashes === -1 || dashes - from > 60 || !text.slice(from + 11, dashes).includes("PRIVATE KEY BLOCK")) return -1;
  }
  const end = text.indexOf("-----END ", dashes);
  if (end === -1) return text.length;
  const close = text.indexOf("-----", end + 9);
  return close === -1 || close - end > 60 ? text.length : close + 5;
}

/** The password in `scheme://user:password@host`, of which `://` stands here; null where there is none. */
export function urlPassword(text: string, from: number): { from: number; to: number } | null {
  let colon = -1;
  for (let at = from + 3; at < text.length && at - from < 300; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 64) return colon === -1 || at - colon < 2 ? null : { from: colon + 1, to: at };
    if (code <= 32 || code === 47 || code === 34 || code === 60 || code === 62) return null;
    if (code === 58 && colon === -1) colon = at;
  }
  return null;
}

/** What follows `Bearer` or `Basic` here, or null. */
export function authorization(text: string, from: number): { from: number; to: number } | null {
  const length = startsWithWord(text, from, "bearer") ? 6 : startsWithWord(text, from, "basic") ? 5 : 0;
  if (length === 0) return null;
  let at = from + length;
  while (at - from < length + 4 && isBlank(text.charCodeAt(at))) at += 1;
  if (at === from + length) return null;
  const end = keyCharactersEnd(text, at);
  // "Bearer authentication" is English.
  return end - at >= 12 && (hasDigit(text, at, end) || end - at >= 24) ? { from: at, to: end } : null;
}

/** Names whose value is a secret, as settings and members have them. */
const secretNames = [
  "password",
  "passwd",
  "passwort",
  "passphrase",
  "pwd",
  "secret",
  "client_secret",
  "clientsecret",
  "api_key",
  "apikey",
  "api-key",
  "access_key",
  "access_token",
  "accesstoken",
  "refresh_token",
  "auth_token",
  "secret_key",
  "secretkey",
  "private_key",
  "token",
];
/** Further ones, of members alone: in prose they are followed by anything. */
const secretMemberNames = ["authorization", "credential", "credentials", "cookie", "setcookie", "pin", "cvv", "cvc"];

/** Which of these may begin with two given characters: most words are passed over by one look. */
export const mayBegin = { key: 1, authorization: 2, name: 4 } as const;
const beginnings = new Uint8Array(128 * 128);
const mark = (word: string, bit: number, anyCase: boolean): void => {
  const forms = (text: string): string[] => (anyCase ? [text.toLowerCase(), text.toUpperCase()] : [text]);
  for (const first of forms(word.charAt(0))) {
    for (const second of forms(word.charAt(1))) {
      const place = first.charCodeAt(0) * 128 + second.charCodeAt(0);
      beginnings[place] = (beginnings[place] ?? 0) | bit;
    }
  }
};
for (const [prefix] of makers) mark(prefix, mayBegin.key, false);
mark("eyJ", mayBegin.key, false);
for (const word of ["bearer", "basic"]) mark(word, mayBegin.authorization, true);
for (const name of [...secretNames, ...secretMemberNames]) mark(name, mayBegin.name, true);

/** The bits of {@link mayBegin} for a word that begins here. */
export function beginningAt(text: string, at: number): number {
  const first = text.charCodeAt(at);
  const second = text.charCodeAt(at + 1);
  return first < 128 && second < 128 ? (beginnings[first * 128 + second] ?? 0) : 0;
}

/** The value in `password=…`, `"api_key": "…"` of which the name begins here, or null. */
export function assigned(text: string, from: number): { from: number; to: number } | null {
  for (const name of secretNames) {
    if (!startsWithWord(text, from, name)) continue;
    let at = from + name.length;
    if (isQuote(text.charCodeAt(at))) at += 1;
    else if (text.charCodeAt(at) === 92 && isQuote(text.charCodeAt(at + 1))) at += 2;
    while (isBlank(text.charCodeAt(at)) && at - from < 60) at += 1;
    const sign = text.charCodeAt(at);
    if (sign !== 58 && sign !== 61) continue;
    at += sign === 58 && text.charCodeAt(at + 1) === 61 ? 2 : 1;
    while (isBlank(text.charCodeAt(at)) && at - from < 60) at += 1;
    let escaped = false;
    if (text.charCodeAt(at) === 92 && isQuote(text.charCodeAt(at + 1))) {
      escaped = true;
      at += 1;
    }
    const quote = isQuote(text.charCodeAt(at)) ? text.charCodeAt(at) : 0;
    if (quote !== 0) at += 1;
    let end = at;
    while (end < text.length && end - at < 4_096) {
      const code = text.charCodeAt(end);
      if (quote === 0 ? code <= 32 || code === 44 || code === 59 || code === 38 || isQuote(code) || code === 125 : code === quote) break;
      if (quote !== 0 && !escaped && code === 92) end += 1;
      end += 1;
    }
    if (escaped && text.charCodeAt(end - 1) === 92) end -= 1;
    const length = Math.min(end, text.length) - at;
    // Values that say nothing, and prose: "token: yes", "the password: it is".
    if (length < 6 || (quote === 0 && !isValue(text, at, end))) return null;
    return text.startsWith("[redacted", at) ? null : { from: at, to: Math.min(end, text.length) };
  }
  return null;
}

const secretMembers: ReadonlySet<string> = new Set([...secretNames.map((name) => name.replaceAll(/[-_]/g, "")), ...secretMemberNames]);

/** Whether a member of this name holds a secret, whatever it is. */
export function isSecretName(name: string): boolean {
  return (
    (beginningAt(name, 0) & mayBegin.name) !== 0 && name.length <= 24 && secretMembers.has(name.toLowerCase().replaceAll(/[-_\s]/g, ""))
  );
}

function startsWithWord(text: string, from: number, word: string): boolean {
  for (let index = 0; index < word.length; index += 1) {
    let code = text.charCodeAt(from + index);
    if (code >= 65 && code <= 90) code += 32;
    if (code !== word.charCodeAt(index)) return false;
  }
  const after = text.charCodeAt(from + word.length);
  return !isWord(after) && after !== 45;
}

function keyCharactersEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && at - from < 65_536 && isKeyCharacter(text.charCodeAt(at))) at += 1;
  // The full stop of a sentence is not part of it.
  while (at > from && (text.charCodeAt(at - 1) === 46 || text.charCodeAt(at - 1) === 45)) at -= 1;
  return at;
}

function base64UrlEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && (isWord(text.charCodeAt(at)) || text.charCodeAt(at) === 45)) at += 1;
  return at;
}

function hasDigit(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) return true;
  return false;
}

/** With a digit, or in both cases: what is said is in one. */
function isMixed(text: string, from: number, to: number): boolean {
  const part = text.slice(from, to);
  return hasDigit(part, 0, part.length) || (part.toLowerCase() !== part && part.toUpperCase() !== part);
}

/** A value that is no word, and no expression of a program that would find one. */
function isValue(text: string, from: number, to: number): boolean {
  let isPlain = false;
  for (let at = from; at < to; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 40 || code === 91) return false;
    if (!((code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code > 127 || code === 46 || code === 95)) isPlain = true;
  }
  return isPlain;
}

function isQuote(code: number): boolean {
  return code === 34 || code === 39 || code === 96;
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}
