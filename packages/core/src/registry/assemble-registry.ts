import type { Issue } from "@remit/contract";
import { checkApprovers } from "../approval/check-approvers.ts";
import { checkAccountability } from "./check-accountability.ts";
import { checkConfirmed } from "./check-confirmed.ts";
import { checkGoverned } from "./check-governed.ts";
import { checkNames } from "./check-names.ts";
import { checkReferences } from "./check-references.ts";
import { checkSecrets } from "./check-secrets.ts";
import { composeRegistry } from "./compose-registry.ts";
import type { PinnedTool } from "./compose-registry.ts";
import { indexDocuments, issueAt } from "./registry-documents.ts";
import type { RegistryDocuments } from "./registry-documents.ts";
import type { Registry } from "./registry.ts";
import type { HashText } from "./version-digest.ts";

export type AssembleContext = {
  /** By qualified name. */
  pins: ReadonlyMap<string, PinnedTool>;
  /** What is in force: a person who leaves may still be named by what already named him; nothing new may name him. */
  before: Registry | null;
  hash: HashText;
  isTimeZone(name: string): boolean;
};

export type Assembled = { type: "registry"; registry: Registry; warnings: Issue[] } | { type: "issues"; issues: Issue[] };

/** Puts the documents together, or says everything that keeps them from being one registry. */
export function assembleRegistry(documents: RegistryDocuments, context: AssembleContext): Assembled {
  const index = indexDocuments(documents.assets);
  const { spec, place } = documents.organisation;
  const accountability = checkAccountability(index, context.before);
  const issues = [
    ...(context.isTimeZone(spec.organisation.timeZone)
      ? []
      : [
          issueAt(
            place,
            "/organisation/timeZone",
            `"${spec.organisation.timeZone}" is not a time zone; write an IANA name such as Europe/Berlin`,
          ),
        ]),
    ...checkNames(documents.assets),
    ...checkReferences(documents, index),
    ...accountability.issues,
    ...checkGoverned(documents, index),
    ...checkSecrets(index),
    ...checkConfirmed(index),
  ];
  if (issues.length > 0) return { type: "issues", issues };
  const registry = composeRegistry(
    {
      organisation: spec.organisation,
      assets: documents.assets.map((asset) => asset.spec),
      policySources: documents.policySources,
      prompts: documents.texts,
      pins: context.pins,
    },
    context.hash,
  );
  const approvers = checkApprovers(registry).flatMap(({ kind, name, pointer, message }) => {
    const document = index.get(kind, name);
    return document === undefined ? [] : [issueAt(document.place, pointer, message)];
  });
  if (approvers.length > 0) return { type: "issues", issues: approvers };
  return { type: "registry", registry, warnings: accountability.warnings };
}
