import type { JsonObject } from "../json/json.ts";

/**
 * An operation of MCP beside `tools/call` that reads or acts. It is registered, granted, decided and recorded as a tool of its upstream
 * under a reserved name, with a schema that is Remit's own; its upstream need not offer anything of that name, and may not.
 */
export type Operation = {
  /** The reserved name, as a tool document's `name`. */
  name: string;
  /** The method of MCP that it stands for. */
  method: string;
  /** `upstream`: the agent asks its upstream. `client`: the upstream asks the agent's client. */
  asks: "upstream" | "client";
  description: string;
  inputSchema: JsonObject;
};

/** Names that begin like this are not an upstream's to give. */
export const reservedToolPrefix = "mcp.";

const text: JsonObject = { type: "string" };
const open: JsonObject = { type: "object", additionalProperties: true };

function closed(properties: Record<string, JsonObject>, required: string[]): JsonObject {
  return { type: "object", properties, required, additionalProperties: false };
}

/** Every operation. Their schemas are pinned like any tool's: a change of one is a change that people accept. */
export const operations: readonly Operation[] = [
  {
    name: "mcp.resources.read",
    method: "resources/read",
    asks: "upstream",
    description: "Reads one resource of the upstream, by its URI.",
    inputSchema: closed({ uri: text }, ["uri"]),
  },
  {
    name: "mcp.resources.subscribe",
    method: "resources/subscribe",
    asks: "upstream",
    description: "Is told whenever one resource of the upstream is updated.",
    inputSchema: closed({ uri: text }, ["uri"]),
  },
  {
    name: "mcp.prompts.get",
    method: "prompts/get",
    asks: "upstream",
    description: "Gets one prompt of the upstream, with its arguments filled in.",
    inputSchema: closed({ name: text, arguments: { type: "object", additionalProperties: text } }, ["name"]),
  },
  {
    name: "mcp.completion.complete",
    method: "completion/complete",
    asks: "upstream",
    description: "Asks the upstream how an argument of a prompt or of a resource template could go on.",
    inputSchema: closed(
      {
        ref: closed({ type: { type: "string", enum: ["ref/prompt", "ref/resource"] }, name: text, uri: text, title: text }, ["type"]),
        argument: closed({ name: text, value: text }, ["name", "value"]),
        context: closed({ arguments: { type: "object", additionalProperties: text } }, []),
      },
      ["ref", "argument"],
    ),
  },
  {
    name: "mcp.elicitation.create",
    method: "elicitation/create",
    asks: "client",
    description: "The upstream asks the person at the agent's client for something: to fill in a form, or to open an address.",
    inputSchema: closed(
      {
        mode: { type: "string", enum: ["form", "url"] },
        message: text,
        requestedSchema: open,
        url: text,
        elicitationId: text,
      },
      ["message"],
    ),
  },
  {
    name: "mcp.sampling.createMessage",
    method: "sampling/createMessage",
    asks: "client",
    description: "The upstream has the agent's client generate text with its own model, at its own cost.",
    inputSchema: closed(
      {
        messages: { type: "array", items: open },
        maxTokens: { type: "integer" },
        systemPrompt: text,
        includeContext: { type: "string", enum: ["none", "thisServer", "allServers"] },
        modelPreferences: open,
        temperature: { type: "number" },
        stopSequences: { type: "array", items: text },
        metadata: open,
        tools: { type: "array", items: open },
        toolChoice: open,
      },
      ["messages", "maxTokens"],
    ),
  },
  {
    name: "mcp.roots.list",
    method: "roots/list",
    asks: "client",
    description: "The upstream asks the agent's client which folders it works in.",
    inputSchema: closed({}, []),
  },
];

const byName = new Map(operations.map((operation) => [operation.name, operation]));
const byMethod = new Map(operations.map((operation) => [operation.method, operation]));

/** The operation of a reserved name, or null. */
export function operationNamed(name: string): Operation | null {
  return byName.get(name) ?? null;
}

/** The operation that a method stands for, or null: then it is no action. */
export function operationOfMethod(method: string): Operation | null {
  return byMethod.get(method) ?? null;
}

/** Whether a name is one of those that no upstream may give to a tool of its own. */
export function isReservedToolName(name: string): boolean {
  return name.startsWith(reservedToolPrefix);
}
