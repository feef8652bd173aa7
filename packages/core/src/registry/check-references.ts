import type { AssetKind, AssetSpec, Issue } from "@remit/contract";
import { didYouMean } from "./nearest-name.ts";
import { issueAt } from "./registry-documents.ts";
import type { AssetDocument, DocumentIndex, RegistryDocuments } from "./registry-documents.ts";

/** One name written in a document, and what kinds of thing it may name. */
type Reference = { pointer: string; name: string; to: readonly AssetKind[] };

/** Somebody who owns something. */
const owners = ["party", "team"] as const;

/** Every name that is written somewhere names something that exists. Who the people must be is `checkAccountability`'s. */
export function checkReferences(documents: RegistryDocuments, index: DocumentIndex): Issue[] {
  const { spec, place } = documents.organisation;
  const issues: Issue[] = [];
  for (const reference of one("/organisation/guard", spec.organisation.guard, "policy"))
    issues.push(...resolve(index, place, reference, true));
  for (const asset of documents.assets) {
    for (const reference of referencesOf(asset.spec)) {
      issues.push(...resolve(index, asset.place, reference, issues.length < maxSuggestions));
    }
    issues.push(...filesOf(asset, documents.texts), ...repeated(asset));
  }
  return issues;
}

/** Looking for what was meant takes time, and of so many slips nobody reads the last. */
const maxSuggestions = 50;

function referencesOf(spec: AssetSpec): Reference[] {
  switch (spec.kind) {
    case "party":
    case "environment":
      return [];
    case "team":
      return [...list("/members", spec.members, "party"), ...one("/approval/escalateTo", spec.approval?.escalateTo, "team")];
    case "upstream":
      return [
        ...one("/owner", spec.owner, ...owners),
        ...(typeof spec.credential === "string"
          ? one("/credential", spec.credential, "credential")
          : list("/credential", spec.credential ?? [], "credential")),
      ];
    case "credential":
    case "policy":
    case "queue":
      return one("/owner", spec.owner, ...owners);
    case "tool":
      return [...one("/upstream", spec.upstream, "upstream"), ...one("/owner", spec.owner, ...owners)];
    case "agent":
      return [
        ...one("/accountable", spec.accountable, "party"),
        ...list("/policies", spec.policies, "policy"),
        ...list("/environments", spec.environments, "environment"),
        ...list("/tools", spec.tools, "tool"),
      ];
    case "workflow":
      return [
        ...one("/accountable", spec.accountable, "party"),
        ...one("/agent", spec.agent, "agent"),
        ...one("/queue", spec.queue, "queue"),
        ...one("/approvers", spec.approvers, "team"),
        ...one("/responsibilities/intent", spec.responsibilities.intent, ...owners),
        ...one("/responsibilities/execution", spec.responsibilities.execution, "agent"),
        ...one("/responsibilities/constraints", spec.responsibilities.constraints, ...owners),
      ];
  }
}

function one(pointer: string, name: string | undefined, ...to: AssetKind[]): Reference[] {
  return name === undefined ? [] : [{ pointer, name, to }];
}

function list(pointer: string, names: readonly string[], ...to: AssetKind[]): Reference[] {
  return names.map((name, position) => ({ pointer: `${pointer}/${position}`, name, to }));
}

function resolve(index: DocumentIndex, place: AssetDocument["place"], { pointer, name, to }: Reference, suggest: boolean): Issue[] {
  if (to.some((kind) => index.get(kind, name) !== undefined)) return [];
  const kinds = to.join(" or ");
  const other = (["party", "team", "agent"] as const).find((kind) => index.get(kind, name) !== undefined);
  const candidates = to.flatMap((kind) => index.names(kind));
  const suggestion = suggest && other === undefined ? didYouMean(name, candidates) : "";
  const message =
    other === undefined
      ? `there is no ${kinds} "${name}"${suggestion || "; add it or name another"}`
      : `"${name}" is ${article(other)}; this must be ${article(kinds)}`;
  return [issueAt(place, pointer, message)];
}

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
}

function filesOf({ spec, place }: AssetDocument, texts: ReadonlyMap<string, string>): Issue[] {
  if (spec.kind === "agent" && spec.promptFile !== undefined && !texts.has(spec.promptFile)) {
    const suggestion = didYouMean(spec.promptFile, texts.keys());
    return [
      issueAt(place, "/promptFile", `there is no file "${spec.promptFile}"${suggestion || "; paths start at the root of the registry"}`),
    ];
  }
  const [pointer, path] = pathIn(spec);
  if (path === undefined || isInside(path)) return [];
  return [issueAt(place, pointer, `"${path}" leads out of the registry; give a path below its root, without ..`)];
}

/** What a document names on the disk of whoever runs it. */
function pathIn(spec: AssetSpec): [pointer: string, path: string | undefined] {
  if (spec.kind === "workflow") return ["/cwd", spec.cwd];
  if (spec.kind !== "upstream") return ["", undefined];
  const { transport } = spec;
  if (transport.type === "stdio") return ["/transport/cwd", transport.cwd];
  return transport.type === "openapi" && !/^https?:/i.test(transport.document)
    ? ["/transport/document", transport.document]
    : ["", undefined];
}

/** A relative path that stays below where it starts. */
export function isInside(path: string): boolean {
  return (
    !path.startsWith("/") && !/^[A-Za-z]:/.test(path) && !path.includes("\\") && !path.includes("\0") && !path.split("/").includes("..")
  );
}

/** A name that is listed twice is a slip, and slips in what grants power are not passed over. */
function repeated({ spec, place }: AssetDocument): Issue[] {
  const lists: [string, readonly string[]][] =
    spec.kind === "agent"
      ? [
          ["/tools", spec.tools],
          ["/policies", spec.policies],
          ["/environments", spec.environments],
          ["/roles", spec.roles],
        ]
      : spec.kind === "team"
        ? [["/members", spec.members]]
        : spec.kind === "party"
          ? [["/roles", spec.roles]]
          : [];
  return lists.flatMap(([pointer, names]) =>
    names.flatMap((name, position) =>
      names.indexOf(name) === position ? [] : [issueAt(place, `${pointer}/${position}`, `"${name}" is listed twice; remove one`)],
    ),
  );
}
