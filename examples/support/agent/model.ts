import { readFile } from "node:fs/promises";
import { generateText, isStepCount, jsonSchema, dynamicTool } from "ai";
import type { LanguageModel, ToolSet } from "ai";
import { endingCodes, ownName } from "./remit.ts";
import type { Remit } from "./remit.ts";
import type { Call } from "./rules.ts";

const maxSteps = 16;

/** The model that a key is there for, or null. */
export async function modelFromEnvironment(env: NodeJS.ProcessEnv): Promise<LanguageModel | null> {
  if (env["ANTHROPIC_API_KEY"] !== undefined) {
    const { anthropic } = await import("@ai-sdk/anthropic");
    return anthropic(env["SUPPORT_AGENT_MODEL"] ?? "claude-sonnet-5");
  }
  if (env["OPENAI_API_KEY"] !== undefined) {
    const { openai } = await import("@ai-sdk/openai");
    return openai(env["SUPPORT_AGENT_MODEL"] ?? "gpt-5.5");
  }
  return null;
}

/** One ticket, planned by a model over the tools that Remit lists for it. Returns the model's own summary. */
export async function triageWithModel(model: LanguageModel, ticketId: string, tools: Remit["tools"], call: Call): Promise<string> {
  let over = false;
  const offered: ToolSet = Object.fromEntries(
    tools.map((tool) => [
      // Model providers allow no dots in names.
      ownName(tool.name).replaceAll(".", "_"),
      dynamicTool({
        description: tool.description ?? ownName(tool.name),
        inputSchema: jsonSchema(tool.inputSchema),
        execute: async (input) => {
          const outcome = await call(ownName(tool.name), input as Record<string, unknown>);
          over ||= "code" in outcome && endingCodes.includes(outcome.code);
          return outcome;
        },
      }),
    ]),
  );
  const { text } = await generateText({
    model,
    instructions: await readFile(new URL("../prompts/support-triage.md", import.meta.url), "utf8"),
    prompt: `Triage the ticket ${ticketId}.`,
    tools: offered,
    stopWhen: [isStepCount(maxSteps), () => over],
  });
  return text;
}
