import { MockLanguageModelV4 } from "ai/test";
import { expect, test } from "vitest";
import { modelFromEnvironment, triageWithModel } from "./model.ts";
import type { CallOutcome, Remit } from "./remit.ts";

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};
const calling = (toolName: string, input: object) => ({
  content: [{ type: "tool-call" as const, toolCallId: `${toolName}-${JSON.stringify(input)}`, toolName, input: JSON.stringify(input) }],
  finishReason: { unified: "tool-calls" as const, raw: undefined },
  usage,
  warnings: [],
});
const saying = (text: string) => ({
  content: [{ type: "text" as const, text }],
  finishReason: { unified: "stop" as const, raw: undefined },
  usage,
  warnings: [],
});

const tools: Remit["tools"] = [
  {
    name: "helpdesk__tickets.read",
    description: "One ticket",
    inputSchema: { type: "object", properties: { ticketId: { type: "string" } }, required: ["ticketId"] },
  },
  { name: "helpdesk__send_email", inputSchema: { type: "object" } },
];

test("a model plans over the tools that are listed, and is told what waits", async () => {
  const model = new MockLanguageModelV4({
    doGenerate: [
      calling("tickets_read", { ticketId: "BIL-1001" }),
      calling("send_email", { to: "maria@fjordknit.example" }),
      saying("Answered; the mail waits."),
    ],
  });
  const calls: [string, Record<string, unknown>][] = [];
  const summary = await triageWithModel(model, "BIL-1001", tools, async (tool, input): Promise<CallOutcome> => {
    calls.push([tool, input]);
    return tool === "send_email"
      ? { type: "waiting", teams: ["support-lead"], link: "http://127.0.0.1/approvals/1" }
      : { type: "done", data: { subject: "Charged twice" }, text: "" };
  });
  expect(summary).toBe("Answered; the mail waits.");
  expect(calls).toEqual([
    ["tickets.read", { ticketId: "BIL-1001" }],
    ["send_email", { to: "maria@fjordknit.example" }],
  ]);
  const [first, , last] = model.doGenerateCalls;
  expect(first?.tools?.map((tool) => tool.name)).toEqual(["tickets_read", "send_email"]);
  expect(JSON.stringify(first?.prompt)).toContain("You triage one support ticket");
  expect(JSON.stringify(last?.prompt)).toContain('"waiting"');
});

test("a model is not asked again once the run is over", async () => {
  const model = new MockLanguageModelV4({ doGenerate: async () => calling("tickets_read", { ticketId: "BIL-1001" }) });
  await triageWithModel(model, "BIL-1001", tools, async () => ({ type: "refused", code: "run-limit-reached", reason: "three actions" }));
  expect(model.doGenerateCalls).toHaveLength(1);
});

test("a key chooses the provider; without one there is no model", async () => {
  expect(await modelFromEnvironment({})).toBeNull();
  expect(await modelFromEnvironment({ ANTHROPIC_API_KEY: "x" })).toMatchObject({ provider: expect.stringContaining("anthropic") });
  expect(await modelFromEnvironment({ OPENAI_API_KEY: "x", SUPPORT_AGENT_MODEL: "m" })).toMatchObject({ modelId: "m" });
});
