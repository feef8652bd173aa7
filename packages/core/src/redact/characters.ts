/** Where the ten digits of a script begin: every decimal digit of Unicode's Basic Multilingual Plane but ASCII's. */
const digitBlocks = [
  0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040,
  0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50,
  0xabf0, 0xff10,
];

/** The value of the decimal digit at a place, in whatever script, or -1. Digits of the mathematical alphabets take two places. */
export function digitAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code < 0x80) return code >= 48 && code <= 57 ? code - 48 : -1;
  if (code === 0xd835) {
    const low = text.charCodeAt(at + 1);
    return low >= 0xdfce && low <= 0xdfff ? (low - 0xdfce) % 10 : -1;
  }
  if (code < 0x0660) return -1;
  for (const start of digitBlocks) {
    if (code < start) return -1;
    if (code < start + 10) return code - start;
  }
  return -1;
}

/** How many places a digit takes. */
export function digitWidth(text: string, at: number): 1 | 2 {
  return text.charCodeAt(at) === 0xd835 ? 2 : 1;
}

/** What people put between the groups of a number, and what nobody sees. No line breaks: what stands below is another number. */
export function isSeparator(code: number): boolean {
  if (code < 0x80) return code === 32 || code === 45 || code === 46 || code === 95 || code === 9 || code === 47;
  return (
    code === 0xa0 ||
    code === 0xad ||
    (code >= 0x2000 && code <= 0x2015) ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x2060 ||
    code === 0x2212 ||
    code === 0x3000 ||
    code === 0xfeff
  );
}

/** The ASCII letter that a character stands for, in upper case, also in full width; 0 where it is none. */
export function letterAt(text: string, at: number): number {
  let code = text.charCodeAt(at);
  if (code >= 0xff21 && code <= 0xff5a) code -= 0xfee0;
  if (code >= 97 && code <= 122) return code - 32;
  return code >= 65 && code <= 90 ? code : 0;
}

export function isWord(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
}

/** Base64, base64url, and what else stands inside keys. */
export function isKeyCharacter(code: number): boolean {
  return isWord(code) || code === 45 || code === 46 || code === 43 || code === 47 || code === 61 || code === 126;
}
