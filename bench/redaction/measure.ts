import { detect, detectors, redactValue } from "@remit/core";
import { evaluate, labelledItems } from "./evaluate.ts";

// npm run measure:redaction

const items = labelledItems();
const plain = items.filter(({ hard }) => !hard);
const share = (part: number, whole: number): string => (whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)} %`);
const row = (...cells: (string | number)[]): string => `| ${cells.join(" | ")} |`;

console.log(
  `${items.length} texts, ${items.reduce((sum, { labels }) => sum + labels.length, 0)} labels; ${items.length - plain.length} texts written to be missed\n`,
);
console.log(row("detector", "labels", "recall", "recall without the hard ones", "texts without", "false positives"));
console.log(row("---", "---:", "---:", "---:", "---:", "---:"));
const easy = evaluate(plain);
for (const [index, { detector, labels, found, others, wrong }] of evaluate(items).entries()) {
  const of = easy[index];
  console.log(
    row(
      detector,
      labels,
      share(found, labels),
      of === undefined ? "-" : share(of.found, of.labels),
      others,
      `${wrong.length} (${share(wrong.length, others)})`,
    ),
  );
}
for (const { detector, missed, wrong } of evaluate(items)) {
  for (const text of missed) console.log(`\nmissed, ${detector}: ${JSON.stringify(text)}`);
  for (const text of wrong) console.log(`\nwrong, ${detector}: ${JSON.stringify(text)}`);
}

const wanted = new Set(detectors);
const call = {
  to: "kim@example.org",
  subject: "Re: Order 20391",
  body: "Hello Kim, your parcel has been delayed by two days. We are sorry.",
};
const timed = (name: string, work: () => unknown): void => {
  for (let index = 0; index < 20_000; index += 1) work();
  const started = process.cpuUsage();
  const rounds = 100_000;
  for (let index = 0; index < rounds; index += 1) work();
  console.log(row(name, `${(process.cpuUsage(started).user / rounds).toFixed(2)} µs`));
};
console.log("");
console.log(row("work", "processor time"));
console.log(row("---", "---:"));
timed("a call's arguments, 120 characters, usual detectors", () => redactValue(call, {}));
timed("the same, only what is loggable", () => redactValue(call, { allow: ["/subject"] }));
const page = items.map(({ text }) => text).join("\n");
const started = process.cpuUsage();
for (let index = 0; index < 100; index += 1) detect(page, wanted);
const seconds = process.cpuUsage(started).user / 1e6;
console.log(
  row(
    `all texts as one, ${page.length} characters, every detector`,
    `${((page.length * 100) / seconds / 1e6).toFixed(1)} million characters/s`,
  ),
);
