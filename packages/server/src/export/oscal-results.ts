import type { BundleManifest, Json } from "@remit/contract";

/** How many entries of each type, and in which states their payloads are. */
export type BundleTally = { types: ReadonlyMap<string, number>; payloads: ReadonlyMap<string, number>; gaps: number };

const version = "1.1.2";

/**
 * What an export has seen, as OSCAL assessment results, for tools that collect evidence: one observation about the population and one for each
 * type of entry. It finds for or against no control: that is for whoever assesses.
 * @see https://pages.nist.gov/OSCAL-Reference/models/v1.1.2/assessment-results/json-reference/
 */
export function oscalResults(manifest: BundleManifest, { types, payloads, gaps }: BundleTally, newUuid: () => string): Json {
  const { origin, population, exportedAt, exportedBy } = manifest;
  const { first, last, count, treeSize, root } = population;
  const said = [...payloads].map(([state, number]) => `${number} ${state}`).join(", ");
  const prop = (name: string, value: string | number): Json => ({ name, ns: `https://remit.local/oscal`, value: String(value) });
  const observation = (title: string, description: string, props: Json[]): Json => ({
    uuid: newUuid(),
    title,
    description,
    methods: ["EXAMINE"],
    types: ["historic"],
    props,
    "relevant-evidence": [{ href: "./manifest.json", description: "The range, its checkpoint and what joins the two" }],
    collected: exportedAt,
  });
  return {
    "assessment-results": {
      uuid: newUuid(),
      metadata: {
        title: `Entries ${first} to ${last} of the ledger ${origin}`,
        "last-modified": exportedAt,
        version: "1",
        "oscal-version": version,
        props: [prop("exported-by", exportedBy)],
      },
      "import-ap": { href: "#", remarks: "No assessment plan: a range of the ledger was exported." },
      results: [
        {
          uuid: newUuid(),
          title: "What was recorded",
          description: `Every one of the ${count} entries from ${first} to ${last}, under a signed checkpoint of ${treeSize} entries.`,
          start: exportedAt,
          end: exportedAt,
          "reviewed-controls": {
            "control-selections": [
              { description: "None was chosen: this is the population that an assessor samples from.", "include-all": {} },
            ],
          },
          observations: [
            observation(
              "Population",
              `The range is contiguous${gaps === 0 ? "" : `, and ${gaps} of its entries were missing`}. Payloads: ${said === "" ? "not in the bundle" : said}.`,
              [
                prop("first", first),
                prop("last", last),
                prop("count", count),
                prop("tree-size", treeSize),
                prop("root", root),
                prop("missing", gaps),
              ],
            ),
            ...[...types]
              .sort(([left], [right]) => (left < right ? -1 : 1))
              .map(([type, number]) =>
                observation(type, `${number} entries of the type ${type}.`, [prop("entry-type", type), prop("count", number)]),
              ),
          ],
        },
      ],
    },
  };
}
