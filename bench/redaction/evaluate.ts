import { readFileSync } from "node:fs";
import { type Detector, detectorSchema } from "@remit/contract";
import { detect, detectors } from "@remit/core";
import { z } from "zod";

// What a scanner of repositories would take for a secret stands in pieces.
const pieces = z.union([z.string(), z.array(z.string()).transform((parts) => parts.join(""))]);
const itemSchema = z.strictObject({
  text: pieces,
  labels: z.array(z.strictObject({ detector: detectorSchema, text: pieces })),
  /** Written to be missed: said so that nobody takes the net for a wall. */
  hard: z.boolean().default(false),
});
export type Item = z.infer<typeof itemSchema>;

/** Texts of our own invention, each with what should be found in it. No number or key in them belongs to anybody. */
export function labelledItems(): Item[] {
  const lines = readFileSync(new URL("labelled.jsonl", import.meta.url), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => itemSchema.parse(JSON.parse(line)));
}

export type Score = {
  detector: Detector;
  labels: number;
  found: number;
  missed: string[];
  /** How many texts hold nothing of it, and in which of them something was found all the same. */
  others: number;
  wrong: string[];
};

/** A label counts as found where all of it is covered by a finding of its detector. */
export function evaluate(items: readonly Item[]): Score[] {
  const wanted: ReadonlySet<Detector> = new Set(detectors);
  return detectors.map((detector) => {
    const score: Score = { detector, labels: 0, found: 0, missed: [], others: 0, wrong: [] };
    for (const { text, labels } of items) {
      const findings = detect(text, wanted).filter((finding) => finding.detector === detector);
      const spans = labels
        .filter((label) => label.detector === detector)
        .map((label) => ({ from: text.indexOf(label.text), to: text.indexOf(label.text) + label.text.length }));
      for (const { from, to } of spans) {
        score.labels += 1;
        if (findings.some((finding) => finding.from <= from && finding.to >= to)) score.found += 1;
        else score.missed.push(text);
      }
      if (spans.length === 0) score.others += 1;
      if (findings.some((finding) => !spans.some(({ from, to }) => finding.from < to && finding.to > from))) score.wrong.push(text);
    }
    return score;
  });
}
