import { bundleFiles } from "@remit/contract";
import type { BundlePopulation, Json } from "@remit/contract";
import type { BundleFiles } from "./bundle-files.ts";
import { Refusal, shown } from "./problems.ts";
import type { Problems } from "./problems.ts";
import { listOf, membersOf, textOf } from "./shapes.ts";
import { jsonFile } from "./strict-json.ts";

const name = bundleFiles.oscal;
const most = 4 * 1024 * 1024;

/** Holds what the bundle says to tools that collect evidence against what was read: how many entries there are, and how many of each type. */
export async function checkAssessment(
  files: BundleFiles,
  { population, types }: { population: BundlePopulation; types: ReadonlyMap<string, number> },
  problems: Problems,
): Promise<void> {
  if (files.size(name) === null) return;
  const said = readObservations(jsonFile(await files.read(name, most), name));
  const { first, last, count, treeSize, root } = population;
  const facts = new Map(Object.entries({ first, last, count, "tree-size": treeSize, root }).map(([prop, value]) => [prop, String(value)]));
  for (const type of types.keys())
    if (!said.some((props) => props.get("entry-type") === type))
      problems.report("tampered", null, `${name} says nothing of ${shown(type)}`);
  for (const props of said) {
    const type = props.get("entry-type");
    const expected = type === undefined ? facts : new Map([["count", String(types.get(type) ?? 0)]]);
    for (const [prop, value] of expected) {
      if (props.get(prop) === value) continue;
      const of = type === undefined ? "" : ` of ${shown(type)}`;
      problems.report("tampered", null, `${name} says that the ${prop}${of} is ${shown(props.get(prop) ?? "nothing")}, and it is ${value}`);
    }
  }
}

/** The properties of each observation. What else stands in the file is for people and tools, and claims nothing that is counted. */
function readObservations(value: Json): ReadonlyMap<string, string>[] {
  const results = listOf(memberOf(memberOf(value, "assessment-results"), "results"), `${name}: results`);
  return results.flatMap((result) =>
    listOf(memberOf(result, "observations"), `${name}: observations`).map(
      (observation) =>
        new Map(
          listOf(memberOf(observation, "props"), `${name}: props`).map((prop) => {
            const { name: key, value } = membersOf(prop, `${name}: a property`, ["name", "ns", "value"]);
            return [textOf(key, `${name}: name`), textOf(value, `${name}: value`)] as const;
          }),
        ),
    ),
  );
}

function memberOf(value: Json | undefined, member: string): Json | undefined {
  if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, member)) return value[member];
  throw new Refusal("tampered", `${name} has no ${member}`);
}
