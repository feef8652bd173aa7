import type { JsonObject } from "@remit/contract";
import type { RegisteredTool } from "@remit/core";
import type { ListedTool } from "../action/action-path.ts";
import type { HeaderParameter } from "../mcp/header-parameters.ts";
import { headerParameters } from "../mcp/header-parameters.ts";

/**
 * Tools as `tools/list` shows them, written as JSON once for each registry: a registered tool is immutable, and a new registry
 * brings new ones.
 */
export type ToolEntries = {
  /** The entry's JSON, under the name that is used at this address. */
  json(listed: ListedTool, name: string): string;
  headerParameters(tool: RegisteredTool): readonly HeaderParameter[];
};

/** A tool is listed under two names, with a handful of notes. */
const maxVariants = 64;

export function createToolEntries(): ToolEntries {
  const written = new WeakMap<RegisteredTool, Map<string, string>>();
  const parameters = new WeakMap<RegisteredTool, readonly HeaderParameter[]>();
  return {
    json(listed, name) {
      let variants = written.get(listed.tool);
      if (variants === undefined || variants.size >= maxVariants) {
        variants = new Map();
        written.set(listed.tool, variants);
      }
      const key = `${name}\n${listed.note ?? ""}`;
      let json = variants.get(key);
      if (json === undefined) {
        json = JSON.stringify(toolEntry(listed, name));
        variants.set(key, json);
      }
      return json;
    },
    headerParameters(tool) {
      let found = parameters.get(tool);
      if (found === undefined) {
        found = tool.pin === null ? [] : headerParameters(tool.pin.inputSchema);
        parameters.set(tool, found);
      }
      return found;
    },
  };
}

function toolEntry({ tool, note }: ListedTool, name: string): JsonObject {
  const { spec, pin } = tool;
  const description = pin?.description ?? "";
  return {
    name,
    // A model reads descriptions and no `_meta`: it can only plan for a wait that it is told of here.
    description: note === null ? description : `${description}\n\n[Remit] ${note}`.trim(),
    inputSchema: pin?.inputSchema ?? { type: "object" },
    ...(pin?.outputSchema ? { outputSchema: pin.outputSchema } : {}),
    // From our registry, where a person has said it. What an upstream says of itself here is not to be trusted.
    annotations: {
      readOnlyHint: spec.effect === "read",
      destructiveHint: spec.effect === "write" && spec.reversibility !== "reversible",
      idempotentHint: spec.effect === "read" || spec.idempotent,
    },
    _meta: { "remit/effect": spec.effect, ...(note === null ? {} : { "remit/note": note }) },
  };
}
