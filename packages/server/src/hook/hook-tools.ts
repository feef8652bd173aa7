import type { JsonObject } from "@remit/contract";

const text = (description: string, maxLength = 65_536): JsonObject => ({ type: "string", description, maxLength });
const flag = (description: string): JsonObject => ({ type: "boolean", description });
const texts = (description: string): JsonObject => ({
  type: "array",
  items: { type: "string", maxLength: 4_096 },
  maxItems: 1_000,
  description,
});

/** What is known of every call: who asks, and where. */
const origin = {
  client: text("Which coding agent asks: claude-code, cursor or codex", 40),
  session: text("The coding agent's own name of its session", 200),
  workspace: text("The folder that it works in", 4_096),
};

/** What is known of every call that reaches files. */
const reach = {
  paths: texts("Every file or folder that is named, as it really is: absolute, links followed"),
  protectedPaths: texts("Those of them that are protected"),
  touchesProtected: flag("Whether any of them is protected"),
  outsideWorkspace: flag("Whether any of them is outside the workspace"),
};

const outputSchema: JsonObject = {
  type: "object",
  properties: { handedOver: { type: "boolean", description: "The coding agent was told that it may" } },
  required: ["handedOver"],
  additionalProperties: false,
};

function tool(name: string, description: string, properties: Record<string, JsonObject>): JsonObject {
  return {
    name,
    description,
    inputSchema: { type: "object", properties, required: Object.keys(properties), additionalProperties: false },
    outputSchema,
  };
}

/** What an upstream with the transport `hook` offers. Policies read these members, so that they are pinned like any tool's. */
export const hookTools: readonly JsonObject[] = [
  tool("shell.run", "Run a command line in the coding agent's shell", {
    ...origin,
    command: text("The command line as it was given"),
    understood: flag("Whether every part of it could be read without running it"),
    unclear: texts("What could not be read, and why"),
    programs: texts("Every program that it runs, also inside of other commands, by its base name"),
    commands: texts("The same with the first argument that is no option, such as git push"),
    hosts: texts("The hosts of every address that it names"),
    writesFiles: flag("Whether it redirects output into files"),
    ...reach,
  }),
  tool("file.read", "Read files in the coding agent's workspace", { ...origin, ...reach }),
  tool("file.edit", "Write, change, move or delete files in the coding agent's workspace", {
    ...origin,
    ...reach,
    linesChanged: { type: "integer", minimum: 0, description: "Lines that are added and lines that are taken away" },
    change: text("The change as the coding agent gave it, cut where it is longer than an approver reads", 65_536),
  }),
  tool("web.fetch", "Fetch an address from the coding agent's machine, or search the web", {
    ...origin,
    url: text("The address, or the words that are searched for", 8_192),
    host: text("The host of the address; empty for a search", 255),
  }),
  tool("tool.use", "Use a tool of the coding agent that is not known here", {
    ...origin,
    tool: text("The coding agent's name of the tool", 256),
    input: text("Its input, as JSON, cut where it is longer than an approver reads"),
  }),
];
