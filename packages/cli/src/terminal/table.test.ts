import fc from "fast-check";
import { expect, test } from "vitest";
import { table } from "./table.ts";
import { fitText, textWidth, wrapText } from "./text-width.ts";

test("a table fits its terminal by cutting only what may be cut", () => {
  const rows = [{ id: "apr_0190a3c4e5f67890a1b2c3d4e5f67890", subject: "日本語の長い件名 and a very long English rest of it all" }];
  const lines = table(
    rows,
    [
      { title: "ID", value: (row) => row.id },
      { title: "SUBJECT", value: (row) => row.subject, cut: true },
    ],
    60,
  );
  expect(lines).toEqual(["ID                                    SUBJECT", "apr_0190a3c4e5f67890a1b2c3d4e5f67890  日本語の長い件名 and…"]);
  expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(60);
});

test("wrapping leaves nothing out but the spaces it breaks at", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 8, max: 40 }), (text, columns) => {
      const lines = wrapText(text, columns);
      expect(lines.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
      for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(columns + 1);
    }),
  );
});

test("a cut text says that it is cut", () => {
  expect(fitText("exactly", 7)).toBe("exactly");
  expect(fitText("too long for it", 8)).toBe("too lon…");
});
