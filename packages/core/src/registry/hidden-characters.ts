/** A character that a person would not see, or that changes what he sees, and where it is (UTF-16 index). */
export type HiddenCharacter = { index: number; codePoint: number };

/**
 * Characters with which text can say one thing to a person and another to a model: zero-width, bidirectional controls, tags
 * (U+E0000 …), variation selectors, control characters, line separators. Tab, line feed and carriage return are plain.
 * Emoji keep the one joiner or selector that they are spelled with.
 */
const hidden = /[\p{Default_Ignorable_Code_Point}\u2028\u2029\uFFF9-\uFFFB]|[\p{Cc}--[\t\n\r]]/gv;

const emojiBefore = /\p{Extended_Pictographic}[\u{1F3FB}-\u{1F3FF}]?\uFE0F?$/u;
const selectableBefore = /[\p{Extended_Pictographic}0-9#*]$/u;
const emojiAfter = /^\p{Extended_Pictographic}/u;

/** Every hidden character of a text, in order. */
export function hiddenCharacters(text: string): HiddenCharacter[] {
  const found: HiddenCharacter[] = [];
  for (const match of text.matchAll(hidden)) {
    if (!spellsEmoji(text, match.index)) found.push({ index: match.index, codePoint: match[0].codePointAt(0) ?? 0 });
  }
  return found;
}

/** The text with every hidden character written as `\u{…}`, so that it can be shown. */
export function showHidden(text: string): string {
  let shown = "";
  let from = 0;
  for (const { index, codePoint } of hiddenCharacters(text)) {
    shown += `${text.slice(from, index)}\\u{${codePoint.toString(16)}}`;
    from = index + (codePoint > 0xffff ? 2 : 1);
  }
  return shown + text.slice(from);
}

/**
 * Characters that no honest result needs, and that carry text which only a model reads, or turn around what a person reads: tags
 * (but for those of a flag), bidirectional overrides and isolates, interlinear annotation, terminal controls. Joiners, direction
 * marks and soft hyphens are left: languages are spelled with them.
 */
const smuggling =
  /(?<!\u{1F3F4}[\u{E0020}-\u{E007E}]{0,6})[\u{E0000}-\u{E007F}]|[\u{E0100}-\u{E01EF}\u202A-\u202E\u2066-\u2069\uFFF9-\uFFFB]|(?![\t\n\r])\p{Cc}/gu;

/** Most text has none of what stands beyond this, and is found to have none in a third of the time. */
const beyondAscii = /[^\t\n\r -~]/;

/** The text with every such character written as `\u{…}`; the same text where there is none. */
export function showSmuggled(text: string): string {
  if (!beyondAscii.test(text)) return text;
  return text.replace(smuggling, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** `U+200B`. */
export function codePointName(codePoint: number): string {
  return `U+${codePoint.toString(16).toUpperCase().padStart(4, "0")}`;
}

function spellsEmoji(text: string, index: number): boolean {
  // Eight code units reach back over the longest pictograph with its modifier and selector.
  const before = text.slice(Math.max(0, index - 8), index);
  if (text[index] === "\uFE0F") return selectableBefore.test(before);
  return text[index] === "\u200D" && emojiBefore.test(before) && emojiAfter.test(text.slice(index + 1, index + 3));
}
