import { z } from "zod";
import { connectToRemit } from "./remit.ts";
import type { CallOutcome, Remit } from "./remit.ts";
import { triageByRules } from "./rules.ts";
import type { Call } from "./rules.ts";

const environmentSchema = z.object({
  REMIT_MCP_URL: z.url(),
  REMIT_TOKEN: z.string().min(1),
  REMIT_WORK_ITEM: z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.issues.push({ code: "custom", message: "is not JSON", input: text });
        return z.NEVER;
      }
    })
    .pipe(z.object({ payload: z.object({ ticketId: z.string() }).loose() }).loose()),
  TRACEPARENT: z.string().optional(),
});

const parsed = environmentSchema.safeParse(process.env);
if (!parsed.success) {
  console.error(`This agent is started by Remit, for a ticket:\n${z.prettifyError(parsed.error)}`);
  process.exit(2);
}
const { REMIT_MCP_URL, REMIT_TOKEN, REMIT_WORK_ITEM, TRACEPARENT } = parsed.data;

try {
  const remit = await connectToRemit(REMIT_MCP_URL, REMIT_TOKEN, TRACEPARENT);
  try {
    await triage(remit, REMIT_WORK_ITEM.payload.ticketId);
  } finally {
    await remit.close();
  }
} catch (error) {
  console.error(`${REMIT_WORK_ITEM.payload.ticketId}: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

/** Calls that were refused are no failure of the agent: whoever started it counts them. */
async function triage(remit: Remit, ticketId: string): Promise<void> {
  const call: Call = async (tool, input) => {
    const outcome = await remit.call(tool, input);
    console.log(`${ticketId}  ${inWords(tool, input)}: ${outcomeInWords(outcome)}`);
    return outcome;
  };
  // The AI SDK takes longer to load than the rules to run; without a key it is not loaded.
  const hasKey = process.env["ANTHROPIC_API_KEY"] !== undefined || process.env["OPENAI_API_KEY"] !== undefined;
  const { modelFromEnvironment, triageWithModel } = hasKey
    ? await import("./model.ts")
    : { modelFromEnvironment: () => null, triageWithModel: null };
  const model = await modelFromEnvironment(process.env);
  if (model === null || triageWithModel === null) await triageByRules(ticketId, call);
  else console.log(`${ticketId}  ${await triageWithModel(model, ticketId, remit.tools, call)}`);
}

function inWords(tool: string, input: Record<string, unknown>): string {
  const said = (name: string) => String(input[name]);
  switch (tool) {
    case "tickets.read":
      return `read ${said("ticketId")}`;
    case "tickets.search":
      return `search tickets for ${Object.values(input).join(", ")}`;
    case "kb.search":
      return "search the knowledge base";
    case "tickets.draft_reply":
      return "draft a reply";
    case "tickets.set_priority":
      return `set the priority to ${said("priority")}`;
    case "tickets.assign":
      return `hand over to ${said("queue")}`;
    case "send_email":
      return `mail to ${said("to")}`;
    case "refund.create":
      return `refund ${(Number(input["amountCents"]) / 100).toFixed(2)} ${said("currency")}`;
    default:
      return `call ${tool}`;
  }
}

function outcomeInWords(outcome: CallOutcome): string {
  switch (outcome.type) {
    case "done":
      return "done";
    case "waiting":
      return `waits for ${outcome.teams.join(" and ")} (${outcome.link})`;
    case "refused":
    case "failed":
      return `${outcome.type}, ${outcome.code}: ${outcome.reason}`;
  }
}
