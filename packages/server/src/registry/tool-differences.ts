import type { Json, JsonObject, TextChange, ToolDifference } from "@remit/contract";
import { isReservedToolName, qualifiedToolName, reservedToolPrefix } from "@remit/contract";
import { asJson, readOffer, showHidden, suspicionOf, pinnedTool } from "@remit/core";
import type { Registry, ToolHead } from "@remit/core";
import type { OfferedTool } from "../upstream/upstreams.ts";
import { hashText } from "./registry-hash.ts";
import { diffOfLines, diffWords } from "./text-diff.ts";

/** How one registered tool differs from what was accepted of it, or null when it does not. */
export function differenceOf(tool: string, head: ToolHead): ToolDifference | null {
  const { state } = pinnedTool(head);
  return state === "accepted" ? null : describe(tool, state, head);
}

/** A tool that an upstream offers and nobody registered. It can never be called. */
export function newToolDifference(upstream: string, offer: OfferedTool): ToolDifference {
  const reserved = isReservedToolName(offer.name) ? `names that begin with ${reservedToolPrefix} are reserved` : null;
  const read = readOffer(offer, hashText);
  const head = { pin: null, ...read, refusal: reserved ?? read.refusal };
  return describe(showHidden(qualifiedToolName(upstream, offer.name)), "new", head);
}

/** Upstreams' tools that no document registers. */
export function unregistered(registry: Registry, upstream: string, offers: readonly OfferedTool[]): OfferedTool[] {
  return offers.filter(({ name }) => isReservedToolName(name) || !registry.tools.has(qualifiedToolName(upstream, name)));
}

function describe(tool: string, state: ToolDifference["state"], { pin, offered, refusal }: ToolHead): ToolDifference {
  const parts = {
    description: diffWords(showHidden(pin?.description ?? ""), showHidden(offered?.description ?? "")),
    inputSchema: diffOfLines(schemaText(pin?.inputSchema), schemaText(offered?.inputSchema)),
    outputSchema: diffOfLines(schemaText(pin?.outputSchema), schemaText(offered?.outputSchema)),
  };
  const difference = {
    tool,
    state,
    acceptedDigest: pin?.digest ?? null,
    offeredDigest: refusal === null ? (offered?.digest ?? null) : null,
    refusal,
    suspicion: offered === null ? null : suspicionOf(tool.slice(tool.indexOf("__") + 2), offered),
  };
  return { ...difference, ...parts, text: terminalText(difference, parts) };
}

const stateWords: Record<ToolDifference["state"], string> = {
  changed: "CHANGED, blocked until it is accepted",
  missing: "MISSING, its upstream does not offer it",
  new: "NEW, not registered: add a tool document that states its effect",
};

type Parts = Pick<ToolDifference, "description" | "inputSchema" | "outputSchema">;

function terminalText(
  { tool, state, refusal, suspicion }: Pick<ToolDifference, "tool" | "state" | "refusal" | "suspicion">,
  parts: Parts,
): string {
  const lines = [`${tool}  ${stateWords[state]}`];
  if (refusal !== null) lines.push(`  cannot be accepted: ${refusal}`);
  if (suspicion !== null) lines.push(`  LOOK CLOSELY: ${showHidden(suspicion)}`);
  if (state !== "missing") {
    for (const [title, changes] of [
      ["description", parts.description],
      ["input schema", parts.inputSchema],
      ["output schema", parts.outputSchema],
    ] as const) {
      if (changes.every(({ type }) => type === "same")) continue;
      lines.push(`  ${title}`);
      lines.push(...(title === "description" ? wordLines(changes) : changedLines(changes)).map((line) => `    ${line}`));
    }
  }
  return `${lines.join("\n")}\n`;
}

/** `[-removed-]{+added+}`, as `git diff --word-diff` writes it. */
function wordLines(changes: readonly TextChange[]): string[] {
  const mark = { same: ["", ""], removed: ["[-", "-]"], added: ["{+", "+}"] } as const;
  return changes
    .map(({ type, text }) => `${mark[type][0]}${text}${mark[type][1]}`)
    .join("")
    .split("\n");
}

function changedLines(changes: readonly TextChange[]): string[] {
  return changes.flatMap(({ type, text }) => {
    const lines = text.replace(/\n$/, "").split("\n");
    if (type !== "same") return lines.map((line) => `${type === "added" ? "+" : "-"} ${line}`);
    return lines.length <= 4 ? lines.map((line) => `  ${line}`) : [`  ${lines[0] ?? ""}`, "  …", `  ${lines.at(-1) ?? ""}`];
  });
}

/** A schema with its members in order and its hidden characters escaped. */
function schemaText(schema: JsonObject | null | undefined): string {
  return schema === null || schema === undefined ? "" : `${showHidden(JSON.stringify(ordered(asJson(schema)), null, 2))}\n`;
}

function ordered(value: Json): Json {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, ordered(value[key] ?? null)]),
  );
}
