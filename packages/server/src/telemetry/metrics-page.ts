import { httpFamily } from "./http-metrics.ts";
import { ledgerFamilies } from "./ledger-metrics.ts";
import type { MetricFamily } from "./metric-family.ts";
import { sourceUp } from "./metrics.ts";
import { serverFamilies } from "./server-metrics.ts";
import { stateFamilies } from "./state-metrics.ts";

/** All that Remit tells by names of its own; `process_*` and `nodejs_*` come beside it. */
export const allFamilies: readonly MetricFamily[] = [...ledgerFamilies, ...stateFamilies, ...serverFamilies, httpFamily, sourceUp];

/** The table of docs/telemetry.md. */
export function metricsTable(): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const rows = allFamilies.map(({ name, type, of, labels, help }) =>
    [`\`${name}\``, type, of, labels.map((label) => `\`${label}\``).join(" "), cell(help)].join(" | "),
  );
  return ["| metric | type | told of | labels | |", "| --- | --- | --- | --- | --- |", ...rows.map((row) => `| ${row} |`)].join("\n");
}
