import type { Detector, ErrorCode, Json, JsonObject, Obligation, ToolResult } from "@remit/contract";
import { redact, redactedText, redactValue, valueAt, type ToolPin } from "@remit/core";
import { readJson } from "../json/read-json.ts";
import type { Normaliser } from "./normalise.ts";
import { shownResult } from "./shown-result.ts";

/** A result as the caller may see it, and what is wrong with it, if anything. */
export type CheckedResult = { result: ToolResult; problem: { code: ErrorCode; reason: string } | null };

/**
 * Holds a tool's result to its pinned output schema and to the obligations of the decision. What is redacted is redacted before
 * anything is recorded or returned; a result that breaks its contract is withheld.
 */
export function checkResult(normaliser: Normaliser, pin: ToolPin, obligations: readonly Obligation[], given: ToolResult): CheckedResult {
  // Nothing is done yet: what is asked first is an action of its own.
  if (given.inputRequired !== undefined) return { result: given, problem: null };
  const result = shownResult(given);
  const pointers: string[] = [];
  const wanted: Detector[] = [];
  for (const obligation of obligations) {
    if (obligation.type !== "redact") continue;
    pointers.push(...obligation.pointers);
    wanted.push(...(obligation.detect ?? []));
  }
  const pointed = pointers.length === 0 ? result : redactResult(result, pointers);
  const seen = wanted.length === 0 ? pointed : detected(pointed, new Set(wanted));
  // What it says may be personal: it stands in the sealed result and not in the entry.
  if (result.isError === true) return { result: seen, problem: { code: "upstream-error", reason: "The tool reported an error." } };

  const withheld = (code: ErrorCode, reason: string): CheckedResult => ({
    result: { content: [{ type: "text", text: reason }], isError: true },
    problem: { code, reason },
  });
  if (result.structuredContent === undefined && pointers.some((pointer) => structured(pointer) !== null))
    return withheld("result-invalid", "The result lacks the structured content in which policy wants something redacted.");
  if (pin.outputSchema !== null) {
    // Checked as the upstream sent it: redaction may put text where the schema wants something else.
    if (result.structuredContent === undefined)
      return withheld("result-invalid", "The result lacks the structured content that its schema promises.");
    const problem = normaliser.resultProblem(pin, result.structuredContent);
    if (problem !== null) return withheld("result-invalid", `The result does not fit the tool's output schema: ${problem}.`);
  }
  for (const obligation of obligations) {
    if (obligation.type !== "require_citation") continue;
    const cited = valueAt(result.structuredContent ?? {}, obligation.pointer);
    if (!Array.isArray(cited) || cited.length === 0) {
      return withheld("citation-missing", `The result cites no source at ${obligation.pointer}, which ${obligation.policy} requires.`);
    }
  }
  return { result: seen, problem: null };
}

/**
 * Redacts by pointer into the result, and what was redacted also wherever it stands in the result's text: a tool says the same
 * thing twice, as structure and as text, and redacting one of them hides nothing.
 */
function redactResult(result: ToolResult, pointers: readonly string[]): ToolResult {
  const redacted = redact(result, pointers) as unknown as ToolResult;
  // Most tools repeat their structured content as text. There, what is too short to be looked for is found by its place.
  const places: string[] = [];
  for (const pointer of pointers) {
    const place = structured(pointer);
    if (place !== null) places.push(place);
  }
  if (redacted === result && places.length === 0) return result;
  const secrets = hidden(result as unknown as Json, redacted as unknown as Json)
    .filter((text) => text.trim().length >= 3)
    .sort((left, right) => right.length - left.length);
  return { ...redacted, content: redacted.content.map((block) => maskText(redactJsonText(block, places), secrets)) };
}

/** Binary content is left alone: whatever it spells, it is no text. */
function detected(result: ToolResult, wanted: ReadonlySet<Detector>): ToolResult {
  const content = result.content.map((block) => {
    const { data, ...rest } = block;
    const left = redactValue(rest, { detect: wanted }) as JsonObject;
    return data === undefined ? left : { ...left, data };
  });
  const { structuredContent } = result;
  return {
    ...result,
    content,
    ...(structuredContent === undefined ? {} : { structuredContent: redactValue(structuredContent, { detect: wanted }) as JsonObject }),
  };
}

/** The part of a pointer below the structured content, or null. */
function structured(pointer: string): string | null {
  return pointer.startsWith("/structuredContent/") ? pointer.slice("/structuredContent".length) : null;
}

function redactJsonText(block: JsonObject, pointers: readonly string[]): JsonObject {
  const { text } = block;
  if (pointers.length === 0 || typeof text !== "string" || !/^\s*[[{]/.test(text)) return block;
  try {
    const before = readJson(text);
    const after = redact(before, pointers);
    return before === after ? block : { ...block, text: JSON.stringify(after) };
  } catch {
    return block;
  }
}

/** The texts and numbers that stand in the one and not in the other. */
function hidden(before: Json, after: Json): string[] {
  if (before === after) return [];
  if (after === redactedText) return leaves(before);
  if (typeof before !== "object" || before === null || typeof after !== "object" || after === null) return [];
  const left = before as Record<string, Json>;
  const right = after as Record<string, Json>;
  return Object.keys(left).flatMap((key) => hidden(left[key] ?? null, right[key] ?? null));
}

function leaves(value: Json): string[] {
  if (typeof value === "string" || typeof value === "number") return [String(value)];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(leaves) : [];
}

function maskText(block: JsonObject, secrets: readonly string[]): JsonObject {
  if (secrets.length === 0) return block;
  const mask = (value: Json): Json => {
    if (typeof value === "string") {
      // As it stands, and as it stands inside JSON text.
      return secrets.reduce(
        (text, secret) => text.replaceAll(secret, redactedText).replaceAll(JSON.stringify(secret).slice(1, -1), redactedText),
        value,
      );
    }
    if (Array.isArray(value)) return value.map(mask);
    return typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, mask(member)]))
      : value;
  };
  return Object.fromEntries(Object.entries(block).map(([key, member]) => [key, key === "type" ? member : mask(member)]));
}
