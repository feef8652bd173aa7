import { safeLine } from "./safe-text.ts";
import { fitText, textWidth } from "./text-width.ts";

export type Column<Row> = {
  title: string;
  /** Text from anywhere: it is made safe here. */
  value: (row: Row) => string;
  /** May be cut to make the table fit. Ids and whatever a person has to copy or decide on never are. */
  cut?: true;
  align?: "right";
};

const gap = "  ";
const narrowest = 12;

/** A table that fits `columns` where cutting is allowed. It never replaces reading the thing itself: `show` prints it whole. */
export function table<Row>(rows: readonly Row[], layout: readonly Column<Row>[], columns: number): string[] {
  const cells = rows.map((row) => layout.map((column) => safeLine(column.value(row))));
  const widths = layout.map((column, index) => Math.max(textWidth(column.title), ...cells.map((row) => textWidth(row[index] ?? ""))));
  shrink(widths, layout, columns);
  const line = (values: readonly string[]) =>
    values
      .map((value, index) => {
        const width = widths[index] ?? 0;
        const fitted = fitText(value, width);
        const padding = " ".repeat(Math.max(0, width - textWidth(fitted)));
        return layout[index]?.align === "right" ? padding + fitted : fitted + padding;
      })
      .join(gap)
      .trimEnd();
  return [line(layout.map((column) => column.title)), ...cells.map(line)];
}

function shrink(widths: number[], layout: readonly Column<never>[] | readonly { cut?: true }[], columns: number): void {
  const total = () => widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1));
  while (total() > columns) {
    let widest = -1;
    for (const [index, column] of layout.entries()) {
      const width = widths[index] ?? 0;
      if (column.cut === true && width > narrowest && width > (widths[widest] ?? 0)) widest = index;
    }
    if (widest === -1) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}
