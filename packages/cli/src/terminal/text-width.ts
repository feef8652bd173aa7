const wide =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;
const zero = /[\p{Mn}\p{Me}\ufe0e\ufe0f]/u;

/** How many columns a terminal uses for text that has been made safe. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += zero.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width;
}

/** The longest beginning of `text` that fits `columns`, with `…` when something is left out. */
export function fitText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let fitted = "";
  let width = 0;
  for (const character of text) {
    width += textWidth(character);
    if (width > columns - 1) break;
    fitted += character;
  }
  return `${fitted.trimEnd()}…`;
}

/** Breaks text into lines of at most `columns`, at spaces where it can. Nothing is left out. */
export function wrapText(text: string, columns: number): string[] {
  return text.split("\n").flatMap((line) => wrapLine(line, Math.max(columns, 8)));
}

function wrapLine(line: string, columns: number): string[] {
  const lines: string[] = [];
  let current = "";
  let width = 0;
  for (const part of line.split(/(?<= )/)) {
    const partWidth = textWidth(part);
    if (width > 0 && width + textWidth(part.trimEnd()) > columns) {
      lines.push(current.trimEnd());
      current = "";
      width = 0;
    }
    if (partWidth <= columns) {
      current += part;
      width += partWidth;
      continue;
    }
    for (const character of part) {
      const characterWidth = textWidth(character);
      if (width + characterWidth > columns) {
        lines.push(current);
        current = "";
        width = 0;
      }
      current += character;
      width += characterWidth;
    }
  }
  lines.push(current);
  return lines;
}
