/**
 * Text that others wrote, fit to be recorded: well-formed, without U+0000 (PostgreSQL stores neither), and no longer than anybody
 * reads. What an entry says must never be the reason why there is none.
 */
export function plainText(text: string, maxLength = 1_000): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
  return cut.toWellFormed().replaceAll("\0", "\uFFFD");
}
