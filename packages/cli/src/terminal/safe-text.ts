/**
 * Everything that could move the cursor, hide text or turn it round: control characters (which begin every escape
 * sequence), format characters (bidi overrides, zero-width ones, tags), lone surrogates, private and unassigned code
 * points, line and paragraph separators, and whatever else is drawn as nothing.
 */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Text from outside on one line: what could deceive a reader is shown as `\u202e`. */
export function safeLine(text: string): string {
  return text.replace(unsafe, (character) => (isVariationSelector(character) ? character : escaped(character)));
}

/** The same, keeping line breaks and tabs. */
export function safeText(text: string): string {
  return text.replace(unsafe, (character) =>
    character === "\n" || character === "\t" || isVariationSelector(character) ? character : escaped(character),
  );
}

/** JSON that is safe to show and still the same JSON: the escapes are JSON's own. */
export function safeJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent) ?? "null";
  return text.replace(unsafe, (character) => (character === "\n" ? character : escaped(character)));
}

/** Part of ordinary emoji, and harmless: they only choose how the character before them is drawn. */
function isVariationSelector(character: string): boolean {
  return character === "\ufe0e" || character === "\ufe0f";
}

function escaped(character: string): string {
  let text = "";
  for (let index = 0; index < character.length; index += 1) {
    text += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return text;
}
