/** All readings of one name. `whole`: of all servers together, told by the one that leads; `server`: of one server, told by each. */
export type MetricFamily = {
  /** Prometheus' conventions: a prefix, the base unit, `_total` for what only grows. */
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels: readonly string[];
  of: "whole" | "server";
};

/** One number of a family. Those of a histogram are named `<family>_bucket`, `_sum` and `_count`. */
export type Reading = { name: string; labels: Readonly<Record<string, string>>; value: number };

/** Something that tells readings when it is asked. */
export type MetricSource = {
  name: string;
  families: readonly MetricFamily[];
  read(): Promise<readonly Reading[]> | readonly Reading[];
};

/** The readings of families in Prometheus' text format 0.0.4. A family without readings is left out. */
export function renderMetrics(families: readonly MetricFamily[], readings: readonly Reading[]): string {
  const byFamily = new Map<string, Reading[]>(families.map(({ name }) => [name, []]));
  for (const reading of readings) byFamily.get(familyOf(reading.name, byFamily))?.push(reading);
  return families
    .map(({ name, type, help }) => {
      const own = byFamily.get(name) ?? [];
      if (own.length === 0) return "";
      return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${own.map(line).join("\n")}\n`;
    })
    .filter((text) => text !== "")
    .join("\n");
}

function familyOf(name: string, known: ReadonlyMap<string, unknown>): string {
  return known.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, "");
}

function line({ name, labels, value }: Reading): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${numberText(value)}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
