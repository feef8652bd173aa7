import type { JsonObject, ToolSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { canonicalJson } from "../canonical/canonical-json.ts";
import { codePointName, hiddenCharacters } from "./hidden-characters.ts";
import { instructionLike } from "./instruction-like.ts";
import type { PinnedTool } from "./compose-registry.ts";
import type { ToolPin } from "./registry.ts";
import { pinDigest } from "./version-digest.ts";
import type { HashText } from "./version-digest.ts";

/** What was accepted of a registered tool, and what its upstream says now. */
export type ToolHead = {
  /** What was accepted; null: nothing yet. */
  pin: ToolPin | null;
  /** What the upstream said last; null: it does not offer the tool, or says something that has no digest. */
  offered: ToolPin | null;
  /** Why what it says now could never be accepted, or null. */
  refusal: string | null;
};

export const unknownTool: ToolHead = { pin: null, offered: null, refusal: null };

/** Blocked unless the upstream says exactly what was accepted. */
export function pinnedTool({ pin, offered, refusal }: ToolHead): PinnedTool {
  if (refusal !== null) return { pin, state: "changed" };
  if (offered === null) return { pin, state: "missing" };
  return { pin, state: pin?.digest === offered.digest ? "accepted" : "changed" };
}

/**
 * Why a person has to look at what a tool says before anybody may call it, or null: something in it speaks to models. Unlike a
 * refusal, a person may find it harmless and accept it.
 */
export function suspicionOf(tool: string, { description, inputSchema, outputSchema }: Omit<ToolPin, "digest">): string | null {
  for (const text of [tool, description, ...texts(inputSchema), ...texts(outputSchema)]) {
    const found = instructionLike(text);
    if (found !== null) return `it reads like instructions to a model, for ${found.rule}: "${found.quote}"`;
  }
  return null;
}

/** Larger than any description that a person would read before accepting it. */
const maxPinCharacters = 256 * 1024;

/** What an upstream says of a tool, ready to be pinned; or why it cannot be. */
export function readOffer(
  offer: { name: string; description: string; inputSchema: JsonObject; outputSchema: JsonObject | null },
  hash: HashText,
): Pick<ToolHead, "offered" | "refusal"> {
  const { description, inputSchema, outputSchema } = offer;
  let text: string;
  try {
    text = canonicalJson({ name: offer.name, description, inputSchema, outputSchema });
  } catch (error) {
    if (RemitError.is(error)) return { offered: null, refusal: `what it says has no canonical form: ${error.message}` };
    throw error;
  }
  if (text.length > maxPinCharacters)
    return { offered: null, refusal: `what it says has ${text.length} characters, more than ${maxPinCharacters}` };
  const offered = { description, inputSchema, outputSchema, digest: pinDigest({ description, inputSchema, outputSchema }, hash) };
  return { offered, refusal: refusalOf(offer) };
}

function refusalOf(offer: { name: string; description: string; inputSchema: JsonObject; outputSchema: JsonObject | null }): string | null {
  for (const part of ["name", "description", "inputSchema", "outputSchema"] as const) {
    const [hidden] = texts(offer[part]).flatMap(hiddenCharacters);
    if (hidden !== undefined)
      return `its ${partWords[part]} contains ${codePointName(hidden.codePoint)}, which cannot be seen: people and models would read different texts`;
  }
  if (offer.inputSchema["type"] !== "object") return 'its input schema does not say "type": "object"';
  return null;
}

const partWords = { name: "name", description: "description", inputSchema: "input schema", outputSchema: "output schema" };

/** Every text of a JSON value, the names of members too. */
function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(texts);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => [key, ...texts(member)]);
}

/** Why budgets could not count this tool's amount, or null: what they count must be in the schema, as an integer. */
export function amountFault(spec: ToolSpec, pin: ToolPin): string | null {
  if (spec.amount === undefined) return null;
  let schema: unknown = pin.inputSchema;
  for (const step of spec.amount.pointer.split("/").slice(1)) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    const properties = member(schema, "properties");
    schema = member(properties, key);
    if (schema === undefined) return `${spec.amount.pointer} is not in the tool's input schema, so no budget could count it`;
  }
  return member(schema, "type") === "integer"
    ? null
    : `${spec.amount.pointer} is not an integer in the tool's input schema; budgets count whole minor units`;
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}
