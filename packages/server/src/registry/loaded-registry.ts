import { composeRegistry, partsOf, pinnedTool } from "@remit/core";
import type { Registry, RegistryParts, ToolHead } from "@remit/core";
import { hashText } from "./registry-hash.ts";
import type { StoredRegistry } from "./registry.store.ts";

/** What is in force, and what it was made of. */
export type LoadedRegistry = {
  generation: number;
  revision: { number: number; appliedBy: string; appliedAt: Date };
  registry: Registry;
  heads: ReadonlyMap<string, ToolHead>;
  parts: Omit<RegistryParts, "pins">;
};

/** Null when nothing was applied yet. @throws when what is stored is not what its digests say */
export function openStored(stored: StoredRegistry): LoadedRegistry | null {
  if (stored.revision === null) return null;
  const { number, appliedBy, appliedAt } = stored.revision;
  const parts = partsOf(stored.versions, hashText);
  return {
    generation: stored.generation,
    revision: { number, appliedBy, appliedAt },
    registry: composeWithHeads(parts, stored.heads),
    heads: stored.heads,
    parts,
  };
}

/** The registry of these parts with each tool as its head says. */
export function composeWithHeads(parts: Omit<RegistryParts, "pins">, heads: ReadonlyMap<string, ToolHead>): Registry {
  const pins = new Map([...heads].map(([name, head]) => [name, pinnedTool(head)]));
  return composeRegistry({ ...parts, pins }, hashText);
}
