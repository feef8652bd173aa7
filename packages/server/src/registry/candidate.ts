import type { CredentialSpec, Issue, Plan, UpstreamSpec } from "@remit/contract";
import { isReservedToolName, operationNamed, operations, qualifiedToolName, RemitError, reservedToolPrefix } from "@remit/contract";
import {
  amountFault,
  assembleRegistry,
  didYouMean,
  issueAt,
  pinnedTool,
  planChanges,
  readOffer,
  specDigest,
  suspicionOf,
  unknownTool,
} from "@remit/core";
import type { AssetDocument, Registry, RegistryDocuments, ToolHead } from "@remit/core";
import type { OfferedTool, Upstreams } from "../upstream/upstreams.ts";
import type { LoadedRegistry } from "./loaded-registry.ts";
import { parseFilesInTurns } from "./parse-files.ts";
import { hashText, isTimeZone } from "./registry-hash.ts";
import { diffText } from "./text-diff.ts";

/** A registry that could come into force, and what that would change. */
export type Candidate = { registry: Registry; heads: ReadonlyMap<string, ToolHead>; plan: Plan };

type ToolDocument = AssetDocument<Extract<AssetDocument["spec"], { kind: "tool" }>>;

/**
 * Reads, checks and plans. Upstreams are started only once everything else is right, and policies are compiled last.
 * @throws RemitError `invalid-configuration` with everything that is wrong
 */
export async function prepareCandidate(
  files: Readonly<Record<string, string>>,
  before: LoadedRegistry | null,
  deps: { upstreams: Pick<Upstreams, "offered" | "probe">; check: (registry: Registry) => Promise<void> },
): Promise<Candidate> {
  const parsed = await parseFilesInTurns(files);
  if (parsed.type === "issues") throw refuse(parsed.issues);
  assemble(parsed.documents, before, before?.heads ?? new Map());

  const offers = await askUpstreams(parsed.documents, before, deps.upstreams);
  const { heads, issues, warnings } = headsOf(toolDocuments(parsed.documents), before, offers);
  if (issues.length > 0) throw refuse(issues);

  const { registry, warnings: assembled } = assemble(parsed.documents, before, heads);
  await deps.check(registry);
  const plan = planChanges(before?.registry ?? null, registry, [...parsed.warnings, ...assembled, ...warnings], {
    hash: hashText,
    diffText,
  });
  return { registry, heads, plan };
}

function assemble(documents: RegistryDocuments, before: LoadedRegistry | null, heads: ReadonlyMap<string, ToolHead>) {
  const pins = new Map([...heads].map(([name, head]) => [name, pinnedTool(head)]));
  const assembled = assembleRegistry(documents, { pins, before: before?.registry ?? null, hash: hashText, isTimeZone });
  if (assembled.type === "issues") throw refuse(assembled.issues);
  return assembled;
}

function refuse(issues: readonly Issue[]): RemitError {
  const count = issues.length === 1 ? "one thing is" : `${issues.length} things are`;
  return new RemitError("invalid-configuration", `The registry was not accepted: ${count} wrong with its files; nothing was changed`, {
    issues,
  });
}

/** What each upstream says now; a text when it could not be asked; absent when there was nothing to ask. */
type Offers = ReadonlyMap<string, readonly OfferedTool[] | string>;

/** Asks every upstream that is new or changed, or whose tools include one that is not pinned yet. */
async function askUpstreams(
  documents: RegistryDocuments,
  before: LoadedRegistry | null,
  upstreams: Pick<Upstreams, "offered" | "probe">,
): Promise<Offers> {
  const tools = toolDocuments(documents);
  const specs = documents.assets.map(({ spec }) => spec).filter((spec): spec is UpstreamSpec => spec.kind === "upstream");
  const credentials = new Map(
    documents.assets.flatMap(({ spec }): [string, CredentialSpec][] => (spec.kind === "credential" ? [[spec.name, spec]] : [])),
  );
  const answers = specs.map(async (spec): Promise<[string, readonly OfferedTool[] | string] | null> => {
    const inForce = before?.registry.upstreams.get(spec.name);
    const same = inForce !== undefined && specDigest(inForce, hashText) === specDigest(spec, hashText);
    const unpinned = tools.some(
      ({ spec: tool }) =>
        tool.upstream === spec.name && !isReservedToolName(tool.name) && !before?.heads.get(qualifiedToolName(spec.name, tool.name))?.pin,
    );
    if (same && !unpinned) return null;
    try {
      return [spec.name, await (same ? upstreams.offered(spec.name) : upstreams.probe(spec, credentials))];
    } catch (error) {
      if (RemitError.is(error)) return [spec.name, error.message];
      throw error;
    }
  });
  return new Map((await Promise.all(answers)).filter((answer) => answer !== null));
}

function headsOf(tools: readonly ToolDocument[], before: LoadedRegistry | null, offers: Offers) {
  const heads = new Map<string, ToolHead>();
  const issues: Issue[] = [];
  const warnings: Issue[] = [];
  for (const { spec, place } of tools) {
    const name = qualifiedToolName(spec.upstream, spec.name);
    const known = before?.heads.get(name) ?? unknownTool;
    // What an operation says is ours to say, whether its upstream can be asked or not.
    const offered = isReservedToolName(spec.name) ? [] : offers.get(spec.upstream);
    if (offered === undefined) {
      heads.set(name, known);
    } else if (typeof offered === "string") {
      heads.set(name, known);
      const consequence =
        known.pin === null
          ? `${name} is not pinned, and nobody can call it until it is accepted`
          : `whether ${name} has changed is not known yet`;
      warnings.push(issueAt(place, "/upstream", `${offered}: ${consequence}`));
    } else {
      const head = headFrom(spec.name, known, offered);
      const suspicion = head.pin === null && head.offered !== null ? suspicionOf(spec.name, head.offered) : null;
      if (suspicion !== null && head.refusal === null) {
        const consequence = `nobody can call ${name} until a person has looked at it and accepted it, with remit tools diff and remit tools accept`;
        warnings.push(issueAt(place, "/name", `${suspicion}; ${consequence}`));
      } else if (head.pin === null) {
        const fault =
          head.refusal === null
            ? `${spec.upstream} offers no tool "${spec.name}"${didYouMean(
                spec.name,
                offered.map((tool) => tool.name),
              )}`
            : `the tool cannot be pinned: ${head.refusal}`;
        issues.push(issueAt(place, "/name", fault));
      } else if (head.offered === null && head.refusal === null) {
        warnings.push(issueAt(place, "/name", `${spec.upstream} no longer offers "${spec.name}": it is blocked; remove its document`));
      }
      heads.set(name, head);
    }
    const pin = heads.get(name)?.pin ?? null;
    const fault = pin === null ? null : amountFault(spec, pin);
    if (fault !== null) issues.push(issueAt(place, "/amount/pointer", fault));
  }
  return { heads, issues, warnings };
}

/**
 * What is known of a tool after its upstream was asked. The first time that it is seen, it is pinned, unless nothing may be, or
 * somebody should look at it first.
 */
function headFrom(name: string, known: ToolHead, offered: readonly OfferedTool[]): ToolHead {
  const head = { pin: known.pin, ...findOffer(name, offered) };
  if (head.pin !== null || head.refusal !== null || head.offered === null) return head;
  // What an operation of the protocol says is ours.
  if (!isReservedToolName(name) && suspicionOf(name, head.offered) !== null) return head;
  return { ...head, pin: head.offered };
}

/** What an upstream says of one tool. */
export function findOffer(name: string, offered: readonly OfferedTool[]): Pick<ToolHead, "offered" | "refusal"> {
  if (isReservedToolName(name)) {
    const operation = operationNamed(name);
    if (operation !== null) return readOffer({ ...operation, outputSchema: null }, hashText);
    const known = operations.map((one) => one.name).join(", ");
    return { offered: null, refusal: `names that begin with ${reservedToolPrefix} are operations of the protocol: ${known}` };
  }
  const [offer, second] = offered.filter((tool) => tool.name === name);
  if (offer === undefined) return { offered: null, refusal: null };
  if (second !== undefined) return { offered: null, refusal: "its upstream offers two tools of this name" };
  return readOffer(offer, hashText);
}

function toolDocuments(documents: RegistryDocuments): ToolDocument[] {
  return documents.assets.filter((document): document is ToolDocument => document.spec.kind === "tool");
}
