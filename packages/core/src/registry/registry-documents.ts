import type { AssetKind, AssetSpec, Issue, OrganisationSpec } from "@remit/contract";
import { qualifiedToolName } from "@remit/contract";
import type { PolicySource } from "./registry.ts";

/** Where a document was written, so that what is wrong with it can be found. */
export type Place = {
  file: string;
  /** The one-based line of what a JSON pointer into the document names. */
  line(pointer: string): number | undefined;
};

export type AssetDocument<Spec extends AssetSpec = AssetSpec> = { spec: Spec; place: Place };

/** The files of a registry, each read and right in itself; whether they fit each other is still open. */
export type RegistryDocuments = {
  organisation: { spec: OrganisationSpec; place: Place };
  assets: readonly AssetDocument[];
  /** The `.cedar` files of each policy set. */
  policySources: ReadonlyMap<string, readonly PolicySource[]>;
  /** Texts that a document may name, by path. */
  texts: ReadonlyMap<string, string>;
};

/** An issue at a place of a document. */
export function issueAt(place: Place, pointer: string, message: string): Issue {
  const line = place.line(pointer);
  return { message, pointer, file: place.file, ...(line === undefined ? {} : { line }) };
}

/** What an asset is called among those of its kind: a tool by its qualified name. */
export function assetName(spec: AssetSpec): string {
  return spec.kind === "tool" ? qualifiedToolName(spec.upstream, spec.name) : spec.name;
}

/** Documents by kind and name, the first of each name. */
export type DocumentIndex = {
  get<Kind extends AssetKind>(kind: Kind, name: string): AssetDocument<Extract<AssetSpec, { kind: Kind }>> | undefined;
  all<Kind extends AssetKind>(kind: Kind): AssetDocument<Extract<AssetSpec, { kind: Kind }>>[];
  names(kind: AssetKind): string[];
};

export function indexDocuments(assets: readonly AssetDocument[]): DocumentIndex {
  const byKind = new Map<AssetKind, Map<string, AssetDocument>>();
  for (const asset of assets) {
    const ofKind = byKind.get(asset.spec.kind) ?? new Map<string, AssetDocument>();
    if (!ofKind.has(assetName(asset.spec))) ofKind.set(assetName(asset.spec), asset);
    byKind.set(asset.spec.kind, ofKind);
  }
  return {
    get: (kind, name) => byKind.get(kind)?.get(name) as never,
    all: (kind) => [...(byKind.get(kind)?.values() ?? [])] as never,
    names: (kind) => [...(byKind.get(kind)?.keys() ?? [])],
  };
}
