import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluate, labelledItems } from "./evaluate.ts";

// At most so many may be missed, of all labels and of those that were not written to be missed; and so many texts be wrong. Better is a reason to
// change these numbers, worse is none.
const bounds = { "payment-card": [4, 0, 1], iban: [2, 0, 0], secret: [6, 0, 0], email: [3, 0, 0] } as const;

test.each(Object.entries(bounds))(
  "[DAT-14] what is looked for in labelled texts is found, and little else: %s",
  (detector, [missed, easy, wrong]) => {
    const score = (hard: boolean) =>
      evaluate(labelledItems().filter((item) => hard || !item.hard)).find((one) => one.detector === detector);
    expect(score(true)?.labels).toBeGreaterThan(25);
    expect(score(true)?.missed.length).toBeLessThanOrEqual(missed);
    expect(score(false)?.missed).toHaveLength(easy);
    expect(score(true)?.wrong.length).toBeLessThanOrEqual(wrong);
  },
);

test("[DAT-14] the figures in docs/privacy.md are those that are measured", () => {
  const page = readFileSync(new URL("../../docs/privacy.md", import.meta.url), "utf8");
  const published = [...page.matchAll(/^\| ([a-z-]+) +\| +(\d+) \| +(\d+) \| +(\d+) \| +(\d+) \|$/gm)].map(([, ...cells]) => cells);
  const measured = evaluate(labelledItems()).map(({ detector, labels, found, others, wrong }) => [
    detector,
    ...[labels, found, others, wrong.length].map(String),
  ]);
  expect(published).toEqual(measured);
});
