import type { Issue } from "@remit/contract";
import { assetName, issueAt } from "./registry-documents.ts";
import type { AssetDocument } from "./registry-documents.ts";

/** Who can be named as an owner or as responsible shares one space of names, or a name would not say who is meant. */
const sharedNames = new Set(["party", "team", "agent"]);

/** Every name is given once. */
export function checkNames(assets: readonly AssetDocument[]): Issue[] {
  const first = new Map<string, AssetDocument>();
  const issues: Issue[] = [];
  for (const asset of assets) {
    const { kind } = asset.spec;
    const name = assetName(asset.spec);
    const key = `${sharedNames.has(kind) ? "somebody" : kind} ${name}`;
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, asset);
      continue;
    }
    const line = earlier.place.line("/name");
    const where = `${earlier.place.file}${line === undefined ? "" : `:${line}`}`;
    const message =
      earlier.spec.kind === kind
        ? `there is already a ${kind} "${name}" (${where}); rename or remove one of them`
        : `there is already a ${earlier.spec.kind} "${name}" (${where}); parties, teams and agents share their names, so that an owner is never ambiguous`;
    issues.push(issueAt(asset.place, "/name", message));
  }
  return issues;
}
