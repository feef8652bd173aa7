import { setImmediate as nextTurn } from "node:timers/promises";
import { assetSpecSchema, organisationSpecSchema } from "@remit/contract";
import type { AssetSpec, Issue, OrganisationSpec } from "@remit/contract";
import { didYouMean, issueAt } from "@remit/core";
import type { AssetDocument, PolicySource, RegistryDocuments } from "@remit/core";
import type { z } from "zod";
import { checkFiles, fileRole, folderKinds } from "./registry-paths.ts";
import { shapeIssues } from "./shape-issues.ts";
import { readYaml } from "./strict-yaml.ts";
import type { YamlDocument } from "./strict-yaml.ts";

/** A file of tests of a policy set; no part of what is in force. */
export type PolicyTestFile = { policy: string; file: string; text: string };

export type ParsedFiles =
  | { type: "documents"; documents: RegistryDocuments; policyTests: PolicyTestFile[]; warnings: Issue[] }
  | { type: "issues"; issues: Issue[] };

/** More than this nobody reads; the first ones usually explain the others. */
const maxIssues = 100;

/** Reads the files of a registry: each by itself. Whether they fit each other is for `assembleRegistry` in core. */
export function parseFiles(files: Readonly<Record<string, string>>): ParsedFiles {
  const taken = takeFiles(files);
  if (taken.type === "issues") return taken;
  const reading = new Reading();
  for (const [file, text] of taken.files) reading.read(file, text);
  return reading.finish();
}

/** As `parseFiles`, letting others run between files: a server that reads a large registry still has to halt things in time. */
export async function parseFilesInTurns(files: Readonly<Record<string, string>>): Promise<ParsedFiles> {
  const taken = takeFiles(files);
  if (taken.type === "issues") return taken;
  const reading = new Reading();
  let turn = performance.now();
  for (const [file, text] of taken.files) {
    reading.read(file, text);
    if (performance.now() - turn < 10) continue;
    await nextTurn();
    turn = performance.now();
  }
  return reading.finish();
}

type TakenFiles = { type: "files"; files: [string, string][] } | { type: "issues"; issues: Issue[] };

function takeFiles(files: Readonly<Record<string, string>>): TakenFiles {
  const texts = new Map(Object.entries(files).map(([path, text]) => [path, text.startsWith("\uFEFF") ? text.slice(1) : text]));
  const unreadable = checkFiles(texts);
  if (unreadable.length > 0) return { type: "issues", issues: unreadable.slice(0, maxIssues) };
  return { type: "files", files: [...texts].sort(([left], [right]) => (left < right ? -1 : 1)) };
}

class Reading {
  readonly #issues: Issue[] = [];
  readonly #warnings: Issue[] = [];
  readonly #assets: AssetDocument[] = [];
  readonly #sources = new Map<string, PolicySource[]>();
  readonly #policyTests: PolicyTestFile[] = [];
  readonly #texts = new Map<string, string>();
  readonly #policies = new Set<string>();
  #organisation: RegistryDocuments["organisation"] | undefined;
  #sawOrganisation = false;

  read(file: string, text: string): void {
    const role = fileRole(file);
    switch (role.role) {
      case "organisation":
        this.#sawOrganisation = true;
        return this.#readOrganisation(file, text);
      case "documents":
        return this.#readDocuments(file, text, folderKinds[role.folder]);
      case "policy":
        this.#policies.add(role.policy);
        return this.#readPolicy(file, text, role.policy);
      case "policy-source":
        this.#sources.set(role.policy, [...(this.#sources.get(role.policy) ?? []), { file, text }]);
        return;
      case "policy-test":
        // Only that it can be read: what it means is for `remit policy test`.
        this.#documentsOf(file, text);
        this.#policyTests.push({ policy: role.policy, file, text });
        return;
      case "text":
        this.#texts.set(file, text);
        return;
      case "refused":
        this.#issues.push({ message: role.message, file });
        return;
      case "other":
        if (role.warning !== null) this.#warnings.push({ message: role.warning, file });
        return;
    }
  }

  finish(): ParsedFiles {
    if (!this.#sawOrganisation) {
      this.#issues.push({
        message: "there is no remit.yaml at the root; add one with apiVersion: remit/v1 and the organisation",
        file: "remit.yaml",
      });
    }
    for (const [policy, sources] of this.#sources) {
      if (!this.#policies.has(policy)) {
        this.#issues.push({
          message: `there is no policies/${policy}/policy.yaml, so these policies belong to no set; add it`,
          file: sources[0]?.file ?? policy,
        });
      }
    }
    if (this.#issues.length > 0 || this.#organisation === undefined) return { type: "issues", issues: this.#issues.slice(0, maxIssues) };
    const documents = { organisation: this.#organisation, assets: this.#assets, policySources: this.#sources, texts: this.#texts };
    return { type: "documents", documents, policyTests: this.#policyTests, warnings: this.#warnings };
  }

  #readOrganisation(file: string, text: string): void {
    const [document, second] = this.#documentsOf(file, text);
    if (second !== undefined)
      this.#issues.push(issueAt(second.place, "", "remit.yaml holds one document; move the others into their folders"));
    const spec = document && this.#parse<OrganisationSpec>(organisationSpecSchema, document);
    if (document !== undefined && spec !== undefined) this.#organisation = { spec, place: document.place };
  }

  #readDocuments(file: string, text: string, kind: AssetSpec["kind"]): void {
    for (const document of this.#documentsOf(file, text)) {
      const spec = this.#readAsset(document, kind);
      if (spec !== undefined) this.#assets.push({ spec, place: document.place });
    }
  }

  #readPolicy(file: string, text: string, name: string): void {
    const [document, second] = this.#documentsOf(file, text);
    if (second !== undefined)
      this.#issues.push(issueAt(second.place, "", "policy.yaml holds one document; give the other set a folder of its own"));
    const spec = document && this.#readAsset(document, "policy");
    if (document === undefined || spec === undefined) return;
    if (spec.name !== name)
      this.#issues.push(issueAt(document.place, "/name", `the policy set in policies/${name}/ must be named "${name}"`));
    this.#assets.push({ spec, place: document.place });
  }

  /** A document of the kind that its folder is for. */
  #readAsset(document: YamlDocument, wanted: AssetSpec["kind"]): AssetSpec | undefined {
    const { value, place } = document;
    const kind = kindOf(value);
    const kinds = Object.values<string>(folderKinds);
    if (kind === undefined) {
      this.#issues.push(issueAt(place, "", `say what this is; documents in this folder begin with kind: ${wanted}`));
    } else if (typeof kind !== "string" || !kinds.includes(kind)) {
      this.#issues.push(
        issueAt(
          place,
          "/kind",
          `there is no kind ${JSON.stringify(kind)}${didYouMean(typeof kind === "string" ? kind : "", kinds) || `; kinds are ${kinds.join(", ")}`}`,
        ),
      );
    } else if (kind !== wanted) {
      const folder = Object.entries(folderKinds).find(([, ofFolder]) => ofFolder === kind)?.[0];
      this.#issues.push(issueAt(place, "/kind", `${kind} documents belong in ${folder}/; move this one there`));
    } else {
      return this.#parse<AssetSpec>(assetSpecSchema, document);
    }
    return undefined;
  }

  #parse<Spec>(schema: z.ZodType<Spec>, { value, place }: YamlDocument): Spec | undefined {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    this.#issues.push(...shapeIssues(parsed.error, schema, value).map(({ pointer, message }) => issueAt(place, pointer, message)));
    return undefined;
  }

  #documentsOf(file: string, text: string): YamlDocument[] {
    const { documents, issues } = readYaml(file, text);
    this.#issues.push(...issues);
    return documents;
  }
}

function kindOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "kind") ? (value as { kind: unknown }).kind : undefined;
}
